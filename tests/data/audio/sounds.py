"""Short pieces made on the spot, for tests that need audio files."""

from pathlib import Path

import numpy as np
import soundfile

RATE = 22050


def clicks(seconds: float = 2.0, rate: int = RATE, seed: int = 0, pitch: float = 220.0) -> np.ndarray:
    """A chord with four noisy clicks a second: it has beats."""
    time = np.arange(round(seconds * rate)) / rate
    chord = sum(np.sin(2 * np.pi * pitch * ratio * time) for ratio in (1, 1.26, 1.5))
    noise = np.random.default_rng(seed).standard_normal(len(time))
    return 0.05 * chord + 0.3 * noise * np.exp(-(time % 0.25) / 0.02)


def swell(seconds: float = 2.0, rate: int = RATE) -> np.ndarray:
    """A tone that comes and goes: no beat is found in it, unless noise of quantisation is added."""
    time = np.arange(round(seconds * rate)) / rate
    return np.sin(2 * np.pi * 220 * time) * np.hanning(len(time))


def write(path: Path, samples: np.ndarray | None = None, rate: int = RATE, **options: str) -> Path:
    """Write an audio file of the format that its suffix says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, clicks(rate=rate) if samples is None else samples, rate, **options)
    return path


def write_many(folder: Path, count: int, seconds: float = 1.5) -> Path:
    """Write so many different files, ``track.00.wav`` and so on."""
    for number in range(count):
        write(folder / f"track.{number:02}.wav", clicks(seconds, seed=number, pitch=110 * 1.03**number))
    return folder


def truncate(path: Path, share: float = 0.6) -> Path:
    """Cut a file off, as a copy that was interrupted."""
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    return path
