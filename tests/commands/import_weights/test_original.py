"""The published weights give what the original gives; the wheel that holds them is not part of the project."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from command_line import REPOSITORY
from conftest import SHARED

import musiclab
from musiclab.cli import main
from musiclab.data.audio.decoding import load_audio
from musiclab.data.audio.features import mel_spectrogram
from musiclab.spectrogram import MUSICNN

NAME = "musicnn-0.1.0-py3-none-any.whl"
WHEEL = Path(os.environ.get("MUSICLAB_MUSICNN_WHEEL", REPOSITORY / NAME))
EXPECTED = SHARED / "audio" / "expected_musicnn"
RECORDINGS = ["hungarian_dance", "lets_go_fishin", "sugar_plum_fairy", "vibe_ace"]
PATCHES, FRAMES = 10, 187

needs_wheel = pytest.mark.skipif(
    not WHEEL.is_file(), reason=f"no weights: {NAME} is not here, and MUSICLAB_MUSICNN_WHEEL does not name it"
)
needs_answers = pytest.mark.skipif(not EXPECTED.is_dir(), reason=f"no answers to compare with: {EXPECTED}")


def patches_of(name: str, *, rounded: bool) -> torch.Tensor:
    """The first 30 s of a recording in patches of 3 s; rounded as the original has them, whose power is float16."""
    audio = load_audio(SHARED / "audio" / f"{name}.ogg", 0.0, 30.0, 16000)
    frames = mel_spectrogram(audio, MUSICNN)
    if rounded:
        import librosa

        power = librosa.feature.melspectrogram(y=audio, sr=16000, n_fft=512, hop_length=256, n_mels=96)
        frames = np.log10(10000 * power.astype(np.float16).astype(np.float32) + 1)
    return torch.from_numpy(np.ascontiguousarray(frames.T[: PATCHES * FRAMES].reshape(PATCHES, FRAMES, -1)))


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("musicnn") / "musicnn.ckpt"
    main(["import-weights", str(WHEEL), "--out", str(path)])
    return musiclab.load(path)


@torch.inference_mode()
def answers(model, patches):
    lengths = torch.full((len(patches),), patches.shape[1])
    pooled = []
    with model.task.backbone.pooled_norm.register_forward_pre_hook(lambda _, given: pooled.append(given[0])):
        embeddings = model.task.backbone(patches, lengths)
    maxima, means = torch.cat(pooled).reshape(len(patches), -1, 2).unbind(2)
    return {
        "taggram": model.task.head(embeddings).sigmoid(),
        "penultimate": embeddings,
        "max_pool": maxima,
        "mean_pool": means,
    }


@needs_answers
def test_features_are_the_originals_but_for_its_rounding():
    expected = torch.from_numpy(np.load(EXPECTED / "vibe_ace_input.npz")["log_mel"])
    rounded, own = (patches_of("vibe_ace", rounded=rounded)[: len(expected)] for rounded in (True, False))
    torch.testing.assert_close(rounded, expected, atol=1e-6, rtol=0)
    # Half a step of float16, 11 bits, of a power x: log10(1 + 2 ** -11) at most.
    assert (own - expected).abs().max() < 1.02 * np.log10(1 + 2**-11)


@needs_wheel
@needs_answers
@torch.inference_mode()
def test_the_originals_patches_give_its_answers(model):
    patches = torch.from_numpy(np.load(EXPECTED / "vibe_ace_input.npz")["log_mel"])
    expected = np.load(EXPECTED / "vibe_ace.npz")
    found = answers(model, patches)
    for name in ("taggram", "mean_pool"):
        np.testing.assert_allclose(found[name], expected[name][: len(patches)], atol=1e-4)
    np.testing.assert_allclose(found["max_pool"], expected["max_pool"][: len(patches)], atol=1e-3)  # up to 93
    # The original repeats that of the first patch for all others.
    np.testing.assert_allclose(found["penultimate"][0], expected["penultimate"][0], atol=1e-4)


@needs_wheel
@needs_answers
@pytest.mark.parametrize("name", RECORDINGS)
def test_recordings_give_its_answers(name, model):
    expected = np.load(EXPECTED / f"{name}.npz")
    found = answers(model, patches_of(name, rounded=False))
    np.testing.assert_allclose(found["taggram"], expected["taggram"], atol=1e-3)
    np.testing.assert_allclose(found["penultimate"][0], expected["penultimate"][0], atol=1e-3)
    np.testing.assert_allclose(found["mean_pool"], expected["mean_pool"], atol=1e-2)


@needs_wheel
def test_the_other_model_of_the_wheel(tmp_path):
    main(["import-weights", str(WHEEL), "--model", "MTT_musicnn", "--out", str(tmp_path / "mtt.ckpt")])
    other = musiclab.load(tmp_path / "mtt.ckpt")
    assert len(other.target_names) == 50
    assert other.target_names[:3] == ["guitar", "classical", "slow"]
