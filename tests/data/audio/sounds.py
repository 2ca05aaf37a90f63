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


def write_mp3_without_header(path: Path, samples: np.ndarray) -> Path:
    """Write mp3 of 44 100 Hz with a variable bit rate and cut off the frame that tells how many follow."""
    content = write(path, samples, 44100).read_bytes()
    rates = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)  # kbit/s
    size = 144000 * rates[content[2] >> 4] // 44100 + (content[2] >> 1 & 1)
    assert b"Xing" in content[:size]
    path.write_bytes(content[size:])
    return path


def without_length(path: Path) -> Path:
    """Have a flac file state no length, as one that was written to a pipe."""
    content = bytearray(path.read_bytes())
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    path.write_bytes(content)
    return path


def loud_then_quiet(loud: float, quiet: float, rate: int = 44100) -> np.ndarray:
    """Noise, then a beep of 220 Hz: of a file with a variable bit rate, the first frame says little of the rest."""
    noise = np.random.default_rng(0).uniform(-0.8, 0.8, round(loud * rate))
    return np.concatenate([noise, 0.3 * np.sin(2 * np.pi * 220 * np.arange(round(quiet * rate)) / rate)])


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
