"""A song as mp3, for a page that plays it."""

import io
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np

from musiclab.data.audio.decoding import AudioError, audio_blocks
from musiclab.spectrogram import Audio

RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
"""Sample rates in Hz that there are in mp3."""

COMPRESSION = 0.65
"""For libsndfile, of 0 to 1: 128 kbit/s at 44 100 Hz, a megabyte a minute."""


def to_mp3(path: Path) -> bytes:
    """Return an audio file as the bytes of an mp3 file of constant bit rate; decoded, no more than a block is kept.

    It has the file's own sample rate, or the next one that there is in mp3; of more than two channels, it is the mean.
    What cannot be decoded at its end is left out.

    Raises:
        AudioError: If nothing of it can be decoded.
    """
    import soundfile

    blocks = audio_blocks(path)
    first, own_rate = next(blocks)
    rate = next((rate for rate in RATES if rate >= own_rate), RATES[-1])
    channels = first.shape[1] if first.shape[1] <= 2 else 1
    written = io.BytesIO()
    options = {"format": "MP3", "subtype": "MPEG_LAYER_III", "bitrate_mode": "CONSTANT"}
    with soundfile.SoundFile(written, "w", rate, channels, compression_level=COMPRESSION, **options) as file:
        for block in _at_rate(_until_damaged(first, blocks), own_rate, rate, channels):
            file.write(np.clip(np.nan_to_num(block), -1, 1))
    return written.getvalue()


def _until_damaged(first: Audio, rest: Iterator[tuple[Audio, int]]) -> Iterator[Audio]:
    yield first
    with suppress(AudioError):  # what is wrong with it, models say when they are asked about it
        yield from (block for block, _ in rest)


def _at_rate(blocks: Iterable[Audio], own_rate: int, rate: int, channels: int) -> Iterator[Audio]:
    """Yield blocks at another sample rate, with as many channels as are wanted."""
    import soxr

    stream = soxr.ResampleStream(own_rate, rate, channels, dtype="float32")
    for block in blocks:
        mixed = block if block.shape[1] == channels else block.mean(axis=1, keepdims=True)
        yield mixed if own_rate == rate else stream.resample_chunk(np.ascontiguousarray(mixed))
    if own_rate != rate:
        yield stream.resample_chunk(np.zeros((0, channels), np.float32), last=True)
