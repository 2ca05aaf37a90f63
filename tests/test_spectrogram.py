"""What values of mel and chroma rows can be."""

import numpy as np
import pytest

from musiclab.spectrogram import chroma_fault, falls, features_fault, mel_fault, num_bands


def fault_of(mel):
    mel = np.asarray(mel, np.float32)
    return mel_fault(mel, float(mel.min()), float(mel.max()))


@pytest.mark.parametrize(
    "sound",
    [
        np.linspace(-80, 0, 50),
        np.linspace(-80, -13.5, 50),  # frames picked from a longer clip
        np.linspace(-47, 0, 50),  # the loudest beats that we know
        np.linspace(-120, 0.05, 50),  # not cut off, and rounded
        np.linspace(-80, 0, 50).astype(np.float16),
    ],
)
def test_decibels_relative_to_a_maximum_are_sound(sound):
    assert fault_of(sound) is None


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (np.linspace(0, 80, 50), "above the quietest"),
        (np.linspace(0, 1, 50), "0..1"),
        (np.r_[np.zeros(999), 5000], "power"),
        (np.r_[np.zeros(999), 50], "power"),
        (np.linspace(-1, 0, 50), "-1..0"),
        (np.linspace(-8, 0, 50), "another logarithm"),
        (np.linspace(-3, 3, 50), "standardised"),
        (np.linspace(-60, 20, 50), "other than the clip's maximum"),
        (np.full(50, -80), "one value"),
    ],
)
def test_others_are_named(values, said):
    assert said in fault_of(values)


def test_chroma_is_0_to_1_but_for_rounding():
    assert chroma_fault(-0.001, 1.001) is None
    assert "transposed" in chroma_fault(-80, 1)
    assert "not 0..1" in chroma_fault(0, 100)


def test_bands_fall_from_low_to_high():
    assert falls(np.linspace(-30, -60, 128))
    assert not falls(np.full(128, -40.0))


def test_features_are_judged_by_their_means():
    bands, chroma = np.linspace(-30, -70, 128), np.linspace(0.2, 0.6, 12)
    assert features_fault(np.r_[bands, chroma], "fused") is None
    assert features_fault(bands, "mel") is None
    assert features_fault(chroma, "chroma") is None
    assert "chroma with means of 20..60" in features_fault(np.r_[bands, 100 * chroma], "fused")
    assert "mel bands with means of 10..50" in features_fault(bands + 80, "mel")
    assert features_fault(bands + 80, "all") is None
    assert [num_bands(name) for name in ("mel", "chroma", "fused")] == [128, 0, 128]
