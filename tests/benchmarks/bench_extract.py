"""Audio to arrays: musiclab's extraction beside the straightforward way, side by side from one run.

Both run in this process, on one thread, track by track in turns:

- *straightforward*: load; for beats, harmonic-percussive separation of the whole signal, of which the percussive part
  is kept, and beat tracking; mel spectrogram and chroma, each from scratch; all by librosa's public functions;
- *musiclab*: what ``musiclab extract`` does, but for writing. With ``--kind full``, and with ``--kind both``, which is
  compared with the beat-synchronised array alone by the straightforward way.

The arrays of both must be equal to 1e-3. A stage's time is its median over all tracks and rounds.

Run it as ``python tests/benchmarks/bench_extract.py [--quick]``. The tracks are the recordings in ``../shared/data``,
or demo music, as ogg files, without those.
"""

import argparse
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import soundfile
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from musiclab.data.audio import decoding, features
from musiclab.demo.genres import draw_traits
from musiclab.demo.synth import render

RECORDINGS = Path(__file__).resolve().parents[3] / "shared" / "data" / "audio"
SECONDS = 30.0
TOLERANCE = 1e-3  # dB and chroma
STAGES = ("load", "stft", "mel", "chroma", "separation", "beats")

OURS = {
    "load": (decoding, "load_audio"),
    "stft": (features, "_stft"),
    "mel": (features, "_mel_power"),
    "chroma": (features, "_chroma"),
    "separation": (features, "percussive_part"),
    "beats": (features, "beat_frames"),
}
"""The functions of musiclab that the stages are; the straightforward way has no stage ``stft`` of its own."""

Array = np.ndarray[Any, Any]
Way = Callable[[Path], Array]


class Clock:
    """Seconds of each stage, and of the whole, of each track in turn."""

    def __init__(self) -> None:
        self.tracks: list[dict[str, float]] = []

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Add what runs within to a stage of the present track."""
        start = time.perf_counter()
        yield
        self.tracks[-1][name] += time.perf_counter() - start

    def run(self, way: Way, path: Path) -> Array:
        """Run a way on one more track."""
        self.tracks.append(defaultdict(float))
        with self.stage("total"):
            return way(path)

    def median(self, name: str) -> float:
        """Return the median of a stage over tracks and rounds."""
        return float(np.median([track[name] for track in self.tracks]))


def straightforward_full(clock: Clock, path: Path) -> Array:
    """Return the full array by librosa's public functions."""
    with clock.stage("load"):
        audio, rate = librosa.load(path, sr=features.SAMPLE_RATE, duration=SECONDS)
    power, chroma = mel_and_chroma(clock, audio, rate)
    return np.concatenate([librosa.power_to_db(power, ref=np.max), chroma])


def straightforward_beat(clock: Clock, path: Path) -> Array:
    """Return the beat-synchronised array by librosa's public functions."""
    with clock.stage("load"):
        audio, rate = librosa.load(path, sr=features.SAMPLE_RATE, duration=SECONDS)
    with clock.stage("separation"):
        _, percussive = librosa.effects.hpss(audio)
    with clock.stage("beats"):
        _, beats = librosa.beat.beat_track(y=percussive, sr=rate)
    power, chroma = mel_and_chroma(clock, audio, rate)
    power, chroma = (librosa.util.sync(rows, list(beats), aggregate=np.median) for rows in (power, chroma))
    return np.concatenate([librosa.power_to_db(power, ref=np.max), chroma])


def mel_and_chroma(clock: Clock, audio: Array, rate: float) -> tuple[Array, Array]:
    """Return mel power and chroma, each from scratch."""
    with clock.stage("mel"):
        power = librosa.feature.melspectrogram(y=audio, sr=rate, n_mels=features.NUM_MELS)
    with clock.stage("chroma"):
        chroma = librosa.feature.chroma_cqt(y=audio, sr=rate)
    return power, chroma


def musiclab_full(path: Path) -> Array:
    """Return the full array as ``musiclab extract --kind full`` computes it."""
    return features.fused_spectrogram(decoding.load_audio(path, 0, SECONDS))


def musiclab_both(path: Path) -> Array:
    """Return the beat-synchronised array as ``musiclab extract`` computes it: together with the full one."""
    beat = features.spectrograms(decoding.load_audio(path, 0, SECONDS))[1]
    assert beat is not None
    return beat


@contextmanager
def timed_stages(clock: Clock) -> Iterator[None]:
    """Have musiclab's own functions add to the stages of a clock."""

    def timed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*args: Any) -> Any:
            with clock.stage(name):
                return function(*args)

        return run

    originals = {name: getattr(*place) for name, place in OURS.items()}
    for name, (module, attribute) in OURS.items():
        setattr(module, attribute, timed(name, originals[name]))
    try:
        yield
    finally:
        for name, (module, attribute) in OURS.items():
            setattr(module, attribute, originals[name])


def measure(paths: list[Path], rounds: int) -> dict[str, tuple[Clock, Clock]]:
    """Time both ways for both forms, the straightforward one first; check that the arrays are equal."""
    clocks = {"full": (Clock(), Clock()), "beat": (Clock(), Clock())}
    ways = {"full": (straightforward_full, musiclab_full), "beat": (straightforward_beat, musiclab_both)}
    with tqdm(total=len(paths) * (rounds + 1), unit="track", desc="Extracting") as bar:
        for number in range(rounds + 1):
            for path in paths:
                for form, (theirs, ours) in clocks.items():
                    straightforward, musiclab = ways[form]
                    expected = theirs.run(lambda path, way=straightforward, clock=theirs: way(clock, path), path)
                    with timed_stages(ours):
                        found = ours.run(musiclab, path)
                    np.testing.assert_allclose(found, expected, atol=TOLERANCE, rtol=0)
                bar.update()
            if number == 0:  # loading librosa and compiling its inner loops
                for pair in clocks.values():
                    for clock in pair:
                        clock.tracks.clear()
    return clocks


def make_music(folder: Path, count: int) -> list[Path]:
    """Write 30 s of demo music in each of some genres, as ogg files at 22 050 Hz."""
    paths = []
    for number, genre in enumerate(("Rock", "Jazz", "Electronic", "Classical")[:count]):
        rng = np.random.default_rng(number)
        traits = draw_traits(genre, rng)
        audio = np.concatenate([render(traits, rng) for _ in range(5)])[: int(SECONDS * features.SAMPLE_RATE)]
        paths.append(folder / f"{genre}.ogg")
        soundfile.write(paths[-1], audio, features.SAMPLE_RATE)
    return paths


def print_table(clocks: dict[str, tuple[Clock, Clock]]) -> None:
    """Print seconds a stage and tracks a second, and how many times as fast musiclab is."""
    print(f"{'seconds a track':<18}" + "".join(f"{form + ': straightforward':>24}{'musiclab':>10}" for form in clocks))
    for stage in (*STAGES, "rest", "total"):
        cells = ""
        for pair in clocks.values():
            values = [
                clock.median("total") - sum(map(clock.median, STAGES)) if stage == "rest" else clock.median(stage)
                for clock in pair
            ]
            cells += "".join(f"{value:>{width}.3f}" for value, width in zip(values, (24, 10), strict=True))
        print(f"{stage:<18}{cells}")
    speeds = [[1 / clock.median("total") for clock in pair] for pair in clocks.values()]
    print(f"{'tracks a second':<18}" + "".join(f"{theirs:>24.2f}{ours:>10.2f}" for theirs, ours in speeds))
    print(f"{'times as fast':<18}" + "".join(f"{'':>24}{ours / theirs:>9.2f}x" for theirs, ours in speeds))


def main() -> None:
    """Find or make the tracks, measure each way, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="2 tracks once instead of 4 tracks 5 times")
    count, rounds = (2, 1) if parser.parse_args().quick else (4, 5)
    with tempfile.TemporaryDirectory(prefix="musiclab-bench-") as folder, threadpool_limits(1):
        recordings = sorted(RECORDINGS.glob("*.ogg"))
        paths = (recordings or make_music(Path(folder), count))[:count]
        clocks = measure(paths, rounds)
    kind = "recordings" if recordings else "pieces of demo music"
    print(f"\n{count} {kind} of {SECONDS:g} s, {rounds} rounds, one process, one thread; medians\n")
    print_table(clocks)
    print("\nmusiclab's beat-synchronised column makes both arrays. All arrays are equal to 1e-3.")


if __name__ == "__main__":
    main()
