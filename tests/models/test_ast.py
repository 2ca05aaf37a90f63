"""The spectrogram transformer: weights that transformers saved, positions that follow time, patches of padding."""

import json
import sys
from functools import partial

import pytest
import torch
from command_line import error_of, evaluate_args, fit_args, run_folder

from musiclab.cli import main
from musiclab.errors import UserError

transformers = pytest.importorskip("transformers", reason="there is no transformers")

from musiclab.models import AST  # noqa: E402

SIZES = {"hidden_size": 6, "num_layers": 2, "num_heads": 3, "mlp_size": 8, "patch_size": 4}
SIZES |= {"time_stride": 3, "frequency_stride": 2, "frames": 32}

ast = partial(AST, 12, **SIZES)


@pytest.fixture(scope="module")
def original():
    """A model of transformers' own, of weights that matter."""
    config = transformers.ASTConfig(
        hidden_size=6,
        num_hidden_layers=2,
        num_attention_heads=3,
        intermediate_size=8,
        patch_size=4,
        time_stride=3,
        frequency_stride=2,
        max_length=32,
        num_mel_bins=12,
    )
    torch.manual_seed(0)
    model = transformers.ASTModel(config).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return model


@pytest.fixture(scope="module")
def saved(original, tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved")
    original.save_pretrained(folder)
    return str(folder)


@pytest.fixture(scope="module")
def loaded(saved):
    backbone = ast(weights=saved)
    backbone.load_weights()
    return backbone.eval()


@torch.inference_mode()
def test_the_answers_are_those_of_the_library(original, loaded):
    tracks = torch.randn(3, 32, 12)
    expected = original(tracks).pooler_output
    torch.testing.assert_close(loaded(tracks, torch.tensor([32, 32, 32])), expected, rtol=0, atol=1e-6)
    padded = torch.cat([tracks, torch.full((3, 20, 12), torch.nan)], dim=1)
    torch.testing.assert_close(loaded(padded, torch.tensor([32, 32, 32])), expected, rtol=0, atol=1e-6)
    theirs, own = original.state_dict(), loaded._named_as_given()
    assert own.keys() == theirs.keys()
    assert all(torch.equal(own[name], theirs[name]) for name in own)


@torch.inference_mode()
def test_a_shorter_track_has_the_first_positions(original, loaded):
    config = transformers.ASTConfig(**{**original.config.to_dict(), "max_length": 20})
    shorter = transformers.ASTModel(config).eval()
    weights = original.state_dict()
    table = weights["embeddings.position_embeddings"]  # of 5 frequencies and 10 times, of which 6 are left
    weights["embeddings.position_embeddings"] = torch.cat(
        [table[:, :2], table[:, 2:].unflatten(1, (5, 10))[:, :, :6].flatten(1, 2)], dim=1
    )
    shorter.load_state_dict(weights)
    track = torch.randn(1, 20, 12)
    torch.testing.assert_close(loaded(track, torch.tensor([20])), shorter(track).pooler_output, rtol=0, atol=1e-6)


def test_a_longer_track_has_positions_between_them(loaded):
    table = loaded.embeddings.position_embeddings[0, 2:].unflatten(0, (5, 10))
    whole = torch.tensor([19, 10, 3, 1])
    positions = loaded._positions(whole, 19).unflatten(1, (5, 19))
    torch.testing.assert_close(positions[0, :, ::2], table)
    torch.testing.assert_close(positions[0, :, 1::2], (table[:, 1:] + table[:, :-1]) / 2)
    for row, count in enumerate(whole[1:].tolist(), 1):
        assert torch.equal(positions[row, :, :count], table[:, :count])


@torch.inference_mode()
def test_frames_that_make_no_whole_patch_are_not_looked_at(loaded):
    track = torch.randn(1, 30, 12)  # patches end at 4, 7, ... 28
    changed = track.clone()
    changed[:, 28:] += 1
    assert torch.equal(loaded(track, torch.tensor([30])), loaded(changed, torch.tensor([30])))
    changed[:, 27] += 1
    assert not torch.allclose(loaded(track, torch.tensor([30])), loaded(changed, torch.tensor([30])))


def test_the_two_tokens_do_not_stay_the_same():
    embeddings = ast().embeddings
    assert not torch.allclose(embeddings.cls_token, embeddings.distillation_token)


@pytest.mark.parametrize(
    "wrong",
    [
        {"num_heads": 4},
        {"hidden_size": 0},
        {"num_layers": 0},
        {"patch_size": 0},
        {"time_stride": 0},
        {"mlp_size": 0},
        {"frames": 3},
        {"dropout": 1.0},
    ],
)
def test_wrong_arguments(wrong):
    with pytest.raises(UserError, match=next(iter(wrong))):
        ast(**{**SIZES, **wrong})


@torch.inference_mode()
def test_many_frames_are_evaluated_in_parts(loaded, monkeypatch):
    tracks, lengths = torch.randn(5, 40, 12), torch.tensor([40, 9, 4, 23, 40])
    expected = loaded(tracks, lengths)
    monkeypatch.setattr("musiclab.models.ast.FRAMES_AT_A_TIME", 99)
    seen = []
    handle = loaded.encoder.register_forward_hook(lambda module, given, output: seen.append(len(output.pooler_output)))
    torch.testing.assert_close(loaded(tracks, lengths), expected)
    handle.remove()
    assert seen == [2, 2, 1]


@pytest.mark.parametrize("frames", [1, 3])
def test_a_track_of_less_than_a_patch_is_refused(frames):
    with pytest.raises(UserError, match=f"a track has {frames} frames, but AST needs 4, .*patch_size"):
        ast()(torch.randn(2, 9, 12), torch.tensor([9, frames]))


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"hidden_size": 9}, r"embeddings\.cls_token is \(1, 1, 6\) there and \(1, 1, 9\) here"),
        ({"frames": 35}, r"embeddings\.position_embeddings is \(1, 52, 6\) there and \(1, 57, 6\) here"),
        ({"num_layers": 3}, r"layers\.2\..* is missing there and \("),
        ({"num_layers": 1}, r"layers\.1\..* is \(.*\) there and missing here"),
        ({"num_heads": 2}, "num_attention_heads is 3 there and 2 here"),
        ({"frames": 33}, "max_length is 32 there and 33 here"),
    ],
)
def test_weights_that_do_not_fit_are_named(sizes, message, saved):
    backbone = ast(**{**SIZES, **sizes}, weights=saved)
    before = {name: values.clone() for name, values in backbone.state_dict().items()}
    with pytest.raises(UserError, match=message) as info:
        backbone.load_weights()
    assert str(info.value).startswith(saved)
    assert all(torch.equal(values, before[name]) for name, values in backbone.state_dict().items())


def test_weights_of_a_classifier_are_those_of_its_encoder(original, tmp_path, capfd):
    classifier = transformers.ASTForAudioClassification(original.config)
    classifier.audio_spectrogram_transformer.load_state_dict(original.state_dict())
    classifier.save_pretrained(tmp_path)
    capfd.readouterr()
    backbone = ast(weights=str(tmp_path))
    backbone.load_weights()
    assert torch.equal(backbone.encoder.layernorm.weight, original.layernorm.weight)
    assert capfd.readouterr() == ("", "")


def damaged(folder):
    (folder / "model.safetensors").write_bytes(b"none")


def without_weights(folder):
    (folder / "model.safetensors").unlink()


def without_config(folder):
    (folder / "config.json").unlink()


def of_another_kind(folder):
    (folder / "config.json").write_text(json.dumps({"model_type": "vit"}))


def lacking(folder):
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    save_file(
        {name: values for name, values in weights.items() if name != "layernorm.bias"}, folder / "model.safetensors"
    )


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (damaged, "no weights that transformers can read"),
        (without_weights, "no weights that transformers can read"),
        (without_config, "no weights that transformers can read"),
        (of_another_kind, "a model of type vit"),
        (lacking, r"not all there: layernorm\.bias is missing"),
    ],
)
def test_what_is_no_such_folder_is_one_line(harm, message, original, tmp_path, capfd):
    original.save_pretrained(tmp_path)
    harm(tmp_path)
    capfd.readouterr()
    with pytest.raises(UserError, match=message) as info:
        ast(weights=str(tmp_path)).load_weights()
    assert str(info.value).startswith(str(tmp_path))
    assert "\n" not in str(info.value)
    assert capfd.readouterr() == ("", "")


def test_nothing_is_downloaded():
    with pytest.raises(UserError, match="MIT/ast: no such folder"):
        ast(weights="MIT/ast").load_weights()


def test_without_the_library_it_is_said_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(UserError, match=r"pip install 'musiclab\[ast\]'"):
        ast()


SMALL = [f"--model.backbone.init_args.{name}={value}" for name, value in SIZES.items()]


def test_a_training_starts_from_the_weights_and_its_checkpoint_needs_them_no_more(
    original, genre_root, tmp_path, capfd
):
    folder = tmp_path / "saved"
    sizes = {**original.config.to_dict(), "num_mel_bins": 128}
    model = transformers.ASTModel(transformers.ASTConfig(**sizes))
    model.save_pretrained(folder)
    still = ["--model.optimizer.init_args.lr=1e-12", "--model.lr_scheduler=null", "--weight_averaging=null"]
    weights = f"--model.backbone.init_args.weights={folder}"
    main(fit_args("genre_ast.yaml", genre_root, tmp_path, *SMALL, *still, weights))
    (folder / "model.safetensors").unlink()
    best = run_folder(tmp_path) / "checkpoints" / "best.ckpt"
    state = torch.load(best, weights_only=True)["state_dict"]
    for name in ("layers.1.attention.q_proj.weight", "layers.0.mlp.fc1.weight"):
        torch.testing.assert_close(state[f"backbone.encoder.{name}"], model.state_dict()[name])
    main(evaluate_args("test", best, tmp_path))
    error = error_of(capfd, fit_args("genre_ast.yaml", genre_root, tmp_path, *SMALL, weights))
    assert f"{folder}: no weights that transformers can read" in error
    long = ["--model.backbone.init_args.patch_size=32", "--model.augmentations=[]"]
    assert "frames, but AST needs 32" in error_of(
        capfd, fit_args("genre_ast.yaml", genre_root, tmp_path, *SMALL, *long)
    )
