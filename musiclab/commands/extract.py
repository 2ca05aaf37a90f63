"""``musiclab extract``: audio files to a folder of arrays."""

from musiclab.data.audio.asked_recipe import own_recipe
from musiclab.data.audio.extraction import Clip, Kind, extract_tracks
from musiclab.data.audio.files import Ids, find_audio, name_tracks
from musiclab.data.audio.output import Output, claimed, output_folders, planned_tracks, report
from musiclab.spectrogram import RecipeName


def extract(
    inputs: list[str],
    *,
    out: str,
    kind: Kind | None = None,
    offset: float = 0.0,
    seconds: float | None = 30.0,
    mels: int | None = None,
    hop: int | None = None,
    rate: int | None = None,
    window: int | None = None,
    recipe: RecipeName | None = None,
    ids: Ids = "stem",
    jobs: int | None = None,
) -> None:
    """Turn audio files into spectrogram arrays, one file ID.fused.full.npy per track.

    An array is (140, time), float32: 128 rows of mel power in dB relative to the maximum, then 12 rows of chroma; or
    has as many mel bands as you ask for.
    The same command again goes on where it stopped, and tries again what failed. Failures are listed in
    failures.csv; the exit code is then 1.

    Args:
        inputs: Audio files (wav, flac, ogg, mp3 and whatever else libsndfile decodes; m4a, aac and films where ffmpeg
            is installed), folders, which are searched with all folders below them, or text files (.txt) with a path a
            line.
        out: Folder to make, for arrays with a column a frame of 23 ms; those with a column a beat go to OUT_beat.
        kind: Which arrays to make; null for both, which are computed in one pass, in little more time than the
            beat-synchronised ones alone. Of other mel bands than the lab's there are full ones.
        offset: Where to begin in each file, in s.
        seconds: How much of each file to take at most, in s; null for all of it.
        mels: Number of mel bands; with any of mels, hop, rate and window, the rows are mel bands in dB alone, without
            chroma, and `fit` takes them by --data.features all. A features.json beside the arrays says how they were
            made, and `predict` makes those of songs alike.
        hop: Samples from one frame to the next; null for 512.
        rate: Sample rate in Hz; null for 22050.
        window: Length of a window in samples; null for 2048.
        recipe: Name of a way of making arrays, in place of mels, hop, rate and window: musicnn for what the pretrained
            MusiCNN reads, 96 mel bands at 16 kHz, log10(10000 x + 1) of power.
        ids: Name tracks by the file's name (stem) or with the folders below the input before it (path). Dots and
            slashes become _.
        jobs: Number of processes; null for as many as there are cores.
    """
    made = own_recipe(mels, hop, rate, window, recipe)
    clip = Clip(offset, seconds, made)
    folders = output_folders(out, kind, made)
    named = name_tracks(find_audio(inputs), ids)
    settings = {"made by": "musiclab extract", "offset": clip.offset, "seconds": clip.seconds}
    output = Output(folders, settings, {identifier: file.path for identifier, file in named.items()}, made)
    with claimed(output):
        outcome = extract_tracks(planned_tracks(output), clip, jobs)
        report(outcome, output)
    if outcome.failures:
        raise SystemExit(1)
