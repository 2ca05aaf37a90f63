"""``musiclab extract``: audio files to a folder of arrays."""

from musiclab.data.audio.extraction import Clip, Kind, extract_tracks
from musiclab.data.audio.files import Ids, find_audio, name_tracks
from musiclab.data.audio.output import Output, claimed, output_folders, planned_tracks, report


def extract(
    inputs: list[str],
    *,
    out: str,
    kind: Kind = "both",
    offset: float = 0.0,
    seconds: float | None = 30.0,
    ids: Ids = "stem",
    jobs: int | None = None,
) -> None:
    """Turn audio files into spectrogram arrays, one file ID.fused.full.npy per track.

    An array is (140, time), float32: 128 rows of mel power in dB relative to the maximum, then 12 rows of chroma.
    The same command again goes on where it stopped, and tries again what failed. Failures are listed in
    failures.csv; the exit code is then 1.

    Args:
        inputs: Audio files (wav, flac, ogg, mp3 and whatever else libsndfile decodes), folders, which are searched
            with all folders below them, or text files (.txt) with a path a line.
        out: Folder to make, for arrays with a column a frame of 23 ms; those with a column a beat go to OUT_beat.
        kind: Which arrays to make. Both are computed in one pass, in little more time than the beat-synchronised
            ones alone.
        offset: Where to begin in each file, in s.
        seconds: How much of each file to take at most, in s; null for all of it.
        ids: Name tracks by the file's name (stem) or with the folders below the input before it (path). Dots and
            slashes become _.
        jobs: Number of processes; null for as many as there are cores.
    """
    clip = Clip(offset, seconds)
    folders = output_folders(out, kind)
    named = name_tracks(find_audio(inputs), ids)
    settings = {"made by": "musiclab extract", "offset": clip.offset, "seconds": clip.seconds}
    output = Output(folders, settings, {identifier: file.path for identifier, file in named.items()})
    with claimed(output):
        outcome = extract_tracks(planned_tracks(output), clip, jobs)
        report(outcome, output)
    if outcome.failures:
        raise SystemExit(1)
