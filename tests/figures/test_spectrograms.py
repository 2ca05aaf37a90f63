"""Spectrograms and chromagrams: values where they belong, axes with units, no pyplot state."""

import librosa
import matplotlib.pyplot as plt
import numpy as np
import pytest

from figures.looks import assert_readable
from musiclab.figures import chroma_figure, mel_figure, png_bytes
from musiclab.spectrogram import FRAME_SECONDS

RNG = np.random.default_rng(0)
DRAW = {128: mel_figure, 12: chroma_figure}


@pytest.mark.parametrize("dtype", ["float16", "float64", ">f4"])
@pytest.mark.parametrize("rows", [128, 12])
def test_every_value_is_drawn(rows, dtype):
    values = RNG.uniform(-80, 0, (rows, 9)).astype(dtype)
    (mesh,) = DRAW[rows](values, "track", FRAME_SECONDS).axes[0].collections
    np.testing.assert_allclose(np.asarray(mesh.get_array()).reshape(rows, 9), values, rtol=1e-6)


def test_mel_bands_lie_at_their_frequencies():
    axes = mel_figure(np.zeros((128, 3)), "", 1.0).axes[0]
    bounds = axes.collections[0].get_coordinates()[:, 0, 1]
    centres = librosa.mel_frequencies(130, fmax=11025)[1:-1]  # of melspectrogram's filters
    assert (bounds[:-1] < centres).all()
    assert (centres < bounds[1:]).all()
    assert axes.get_ylabel() == "frequency (Hz)"
    assert " ".join(label.get_text() for label in axes.get_yticklabels()) == "0 256 512 1024 2048 4096 8192"


def test_chroma_rows_lie_at_their_pitch_classes():
    axes = chroma_figure(np.zeros((12, 3)), "", 1.0).axes[0]
    np.testing.assert_array_equal(axes.collections[0].get_coordinates()[:, 0, 1], np.arange(13) - 0.5)
    axes.figure.draw_without_rendering()
    shown = zip(axes.get_yticks(), axes.get_yticklabels(), strict=True)
    assert [(tick, label.get_text()) for tick, label in shown if tick < 12] == [
        (tick, name) for tick, name in zip((0, 2, 4, 5, 7, 9, 11), "CDEFGAB", strict=True)
    ]
    assert axes.get_ylabel() == "pitch class"


@pytest.mark.parametrize("rows", [128, 12])
def test_time_is_in_seconds_and_beats_are_counted(rows):
    frames, beats = (DRAW[rows](np.zeros((rows, 8)), "", seconds).axes[0] for seconds in (0.25, None))
    assert (frames.get_xlim(), frames.get_xlabel()) == ((0, 2), "time (s)")
    assert (beats.get_xlim(), beats.get_xlabel()) == ((0, 8), "beat")
    assert all(float(tick).is_integer() for tick in beats.get_xticks())


@pytest.mark.parametrize("columns", [1, 2, 130, 1293])
@pytest.mark.parametrize("rows", [128, 12])
@pytest.mark.parametrize("seconds", [FRAME_SECONDS, None])
def test_figures_of_any_length_can_be_read(rows, columns, seconds):
    values = RNG.uniform(-80, 0, (rows, columns))
    assert_readable(DRAW[rows](values, "1234567: mel spectrogram, beat-synchronised", seconds))


def test_colours_of_two_tracks_can_be_compared():
    limits = {
        (mesh.get_clim(), mesh.get_cmap().name)
        for loudest in (0, -30)
        for mesh in mel_figure(np.full((128, 3), loudest), "", 1.0).axes[0].collections
    }
    assert limits == {((-80, 0), "viridis")}


def test_pyplot_knows_nothing_of_the_figures():
    png_bytes(mel_figure(np.zeros((128, 3)), "", 1.0))
    png_bytes(chroma_figure(np.zeros((12, 3)), "", None))
    assert plt.get_fignums() == []
