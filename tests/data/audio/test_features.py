"""Spectrograms equal those of the lab's helper code and of librosa."""

import numpy as np
import pytest
from conftest import SHARED

from musiclab.data.audio import features
from musiclab.spectrogram import FEATURE_ROWS

AUDIO = SHARED / "audio"
RECORDINGS = ["hungarian_dance", "lets_go_fishin", "sugar_plum_fairy", "vibe_ace"]


@pytest.fixture(scope="module")
def clicks():
    """Four seconds of a chord with two clicks a second."""
    time = np.arange(4 * features.SAMPLE_RATE) / features.SAMPLE_RATE
    chord = sum(np.sin(2 * np.pi * frequency * time) for frequency in (220.0, 277.2, 329.6))
    since_click = time % 0.5
    noise = np.random.default_rng(0).standard_normal(len(time))
    return (0.05 * chord + noise * np.exp(-since_click / 0.02)).astype(np.float32)


@pytest.mark.parametrize("name", RECORDINGS)
def test_equals_the_labs_arrays(name):
    if not AUDIO.is_dir():
        pytest.skip(f"no recordings to compare with: {AUDIO} is not there")
    import librosa

    audio, _ = librosa.load(AUDIO / f"{name}.ogg", sr=features.SAMPLE_RATE, duration=30)
    full, beat = features.spectrograms(audio)
    np.testing.assert_allclose(full, np.load(AUDIO / "expected" / f"{name}.fused.full.npy"), atol=1e-3)
    np.testing.assert_allclose(beat, np.load(AUDIO / "expected" / f"{name}.fused.beatsync.npy"), atol=1e-3)


def test_shapes_and_ranges(clicks):
    full, beat = features.spectrograms(clicks)
    assert full.shape == (140, 1 + len(clicks) // features.HOP_LENGTH)
    assert beat.shape[0] == 140
    assert 6 <= beat.shape[1] <= 9  # two beats a second for four seconds
    for array in (full, beat):
        mel, chroma = array[FEATURE_ROWS["mel"]], array[FEATURE_ROWS["chroma"]]
        assert array.dtype == np.float32
        assert mel.shape[0] == 128
        assert mel.max() == 0
        assert mel.min() >= -80
        assert chroma.shape[0] == 12
        assert chroma.min() >= 0
        assert chroma.max() <= 1
        assert np.isfinite(array).all()


def test_one_pass_equals_the_full_form_alone(clicks):
    np.testing.assert_array_equal(features.spectrograms(clicks)[0], features.fused_spectrogram(clicks))


def test_chroma_names_the_notes(clicks):
    chroma = features.fused_spectrogram(clicks)[FEATURE_ROWS["chroma"]].mean(axis=1)
    assert set(np.argsort(chroma)[-3:]) == {9, 1, 4}  # A, C sharp, E


@pytest.mark.parametrize("num_samples", [88200, 4000])  # fewer frames than the median is long, too
def test_percussive_part_equals_librosas(clicks, num_samples):
    import librosa

    audio = clicks[:num_samples]
    stft = librosa.stft(audio, n_fft=features.N_FFT, hop_length=features.HOP_LENGTH)
    expected = librosa.effects.percussive(audio)
    np.testing.assert_allclose(features.percussive_part(stft, len(audio)), expected, atol=1e-6)


def test_chroma_equals_librosas(clicks):
    import librosa

    chroma = features.fused_spectrogram(clicks)[FEATURE_ROWS["chroma"]]
    np.testing.assert_array_equal(chroma, librosa.feature.chroma_cqt(y=clicks, sr=features.SAMPLE_RATE))


@pytest.mark.parametrize("cents", [-40, 0, 7, 30])
def test_tuning_equals_librosas(clicks, cents):
    import librosa

    audio = librosa.effects.pitch_shift(clicks, sr=features.SAMPLE_RATE, n_steps=cents / 100)
    magnitude = np.abs(librosa.stft(audio, n_fft=features.N_FFT, hop_length=features.HOP_LENGTH))
    expected = librosa.estimate_tuning(y=audio, sr=features.SAMPLE_RATE, bins_per_octave=features.BINS_PER_OCTAVE)
    assert features.estimate_tuning(magnitude) == expected
    assert expected != 0


def test_median_equals_the_two_dimensional_one():
    from scipy.ndimage import median_filter

    image = np.random.default_rng(0).random((40, 50))
    expected = median_filter(image, size=(1, features.MEDIAN_LENGTH), mode="reflect")
    np.testing.assert_array_equal(features._median_along_rows(image), expected)


def test_audio_without_a_beat():
    audio = np.sin(2 * np.pi * 220 * np.arange(2 * features.SAMPLE_RATE) / features.SAMPLE_RATE)
    audio *= np.hanning(len(audio))
    full, beat = features.spectrograms(audio)
    assert np.isfinite(full).all()
    assert beat is None


@pytest.mark.parametrize(
    ("audio", "message"),
    [
        (np.zeros(22050), "silent"),
        (np.zeros(0), "empty"),
        (np.ones((2, 22050)), "mono"),
        (np.full(22050, np.nan), "finite"),
    ],
)
def test_refuses_what_is_no_audio(audio, message):
    with pytest.raises(ValueError, match=message):
        features.spectrograms(audio)


def test_importing_is_light():
    """The constants are wanted where librosa and torch are not."""
    import subprocess
    import sys

    code = "import sys, musiclab.data.audio.features as _; sys.exit(bool({'librosa', 'torch'} & set(sys.modules)))"
    subprocess.run([sys.executable, "-c", code], check=True)
