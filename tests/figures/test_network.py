"""Feature maps and attention: the data drawn, and the axes they are drawn on."""

import numpy as np
import pytest

from musiclab.figures import Clip, attention_figure, clip_figure, feature_maps_figure, png_bytes
from musiclab.figures.network import BRIGHTEST, mel_positions
from musiclab.spectrogram import FRAME_SECONDS

RNG = np.random.default_rng(0)
SIZES = {"mel": 128, "chroma": 12, "fused": 140}


def make_clip(features="mel", frames=50, seconds=0.5):
    return Clip(RNG.uniform(-80, 0, (frames, SIZES[features])), features, seconds)


def panels_of(figure, start):
    return [axes for axes in figure.axes if axes.get_title().startswith(start)]


def test_maps_are_drawn_with_time_to_the_right_and_frequency_upwards():
    clip = make_clip()
    maps = RNG.uniform(size=(6, 13, 32))
    figure = feature_maps_figure(clip, maps, [9, 3, 5, 0, 1, 2], (4, 4), "title")
    panels = panels_of(figure, "map")
    assert [panel.get_title() for panel in panels] == ["map 9", "map 3", "map 5", "map 0", "map 1", "map 2"]
    for panel, values in zip(panels, maps, strict=True):
        (image,) = panel.images
        np.testing.assert_array_equal(image.get_array(), values.T)
        assert image.origin == "lower"
        # 13 windows of 4 frames of 0.5 s, of which the last one is incomplete
        assert image.get_extent() == [0, 26, 0, 128]
        assert (panel.get_xlim(), panel.get_ylim()) == ((0, 25), (0, 128))
        assert image.get_clim() == (0, pytest.approx(np.percentile(maps, BRIGHTEST)))


def test_the_clip_is_drawn_as_it_is():
    clip = make_clip()
    figure = attention_figure(clip, np.full(50, 1 / 50), "title")
    spectrogram, attention = figure.axes
    (bar,) = spectrogram.child_axes
    (image,) = spectrogram.images
    np.testing.assert_array_equal(image.get_array(), clip.frames.T)
    assert image.get_extent() == [0, 25, 0, 128]
    assert spectrogram.get_ylabel() == "frequency (Hz)"
    assert bar.get_ylabel() == "dB"
    assert attention.get_xlabel() == "time (s)"


def test_attention_lies_below_the_frames_that_it_is_of():
    shares = RNG.dirichlet(np.ones(50))
    figure = attention_figure(make_clip(), shares, "title")
    png_bytes(figure)
    spectrogram, attention = figure.axes
    (steps,) = attention.patches
    np.testing.assert_allclose(steps.get_data().values, shares * 50)
    np.testing.assert_allclose(steps.get_data().edges, np.arange(51) * 0.5)
    assert attention.get_xlim() == spectrogram.get_xlim() == (0, 25)
    upper, lower = (axes.get_window_extent() for axes in (spectrogram, attention))
    assert (upper.x0, upper.x1) == pytest.approx((lower.x0, lower.x1))


@pytest.mark.parametrize("features", ["mel", "chroma", "fused"])
@pytest.mark.parametrize("seconds", [None, FRAME_SECONDS])
@pytest.mark.filterwarnings("error")
def test_nothing_is_clipped(features, seconds):
    clip = make_clip(features, 7, seconds)
    unit = "time (beats)" if seconds is None else "time (s)"
    figures = [
        attention_figure(clip, np.full(7, 1 / 7), "CNN a/version_0, track 1043"),
        clip_figure(clip, "CNN a/version_0, track 1043"),
        feature_maps_figure(clip, np.zeros((3, 4, -(-SIZES[features] // 2))), range(3), (2, 2), "CNN a: block 4"),
    ]
    for figure in figures:
        png_bytes(figure)
        box, width, height = figure.get_tightbbox(), *figure.get_size_inches()
        assert -0.01 <= box.x0 <= box.x1 <= width + 0.01
        assert -0.01 <= box.y0 <= box.y1 <= height + 0.01
        assert unit in [figure.get_supxlabel(), *(axes.get_xlabel() for axes in figure.axes)]


def test_a_fused_clip_shows_chroma_above_the_spectrogram():
    clip = make_clip("fused")
    for figure in (attention_figure(clip, np.full(50, 1 / 50), "title"), clip_figure(clip, "title")):
        chroma, mel, *_ = figure.axes
        assert chroma.get_title() == "title"
        np.testing.assert_array_equal(chroma.images[0].get_array(), clip.frames[:, 128:].T)
        np.testing.assert_array_equal(mel.images[0].get_array(), clip.frames[:, :128].T)


def test_feature_maps_do_not_show_the_spectrogram_again():
    figure = feature_maps_figure(make_clip(), RNG.uniform(size=(3, 13, 32)), range(3), (4, 4), "block 2")
    assert figure.get_suptitle() == "block 2"
    assert [axes.get_title() for axes in figure.axes if axes.images] == ["map 0", "map 1", "map 2"]


def test_frequencies_lie_at_the_bands_whose_filters_hear_them():
    import librosa

    filters = librosa.filters.mel(sr=22050, n_fft=2048, n_mels=128)
    loudest = filters.argmax(axis=0)  # the band that hears most of each frequency
    hertz = np.array([300, 1000, 4000, 9000])
    bins = np.round(hertz / 22050 * 2048).astype(int)
    assert np.abs(mel_positions(hertz) - 0.5 - loudest[bins]).max() <= 1
