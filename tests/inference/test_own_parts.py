"""Classes that are not musiclab's: which modules a checkpoint has imported, and what is said of those that it needs."""

import sys

import pytest

from musiclab.errors import UserError
from musiclab.inference.own_parts import find_in_current_folder, import_modules, import_parts


@pytest.fixture(autouse=True)
def unchanged(tmp_path, monkeypatch):
    """Work in an empty folder, and leave modules and their path as they are."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


def own_module(folder, name="own_part", text="class Net: pass\n"):
    """Write a module that leaves a trace when it is imported."""
    path = folder.joinpath(*name.split(".")).with_suffix(".py")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"import pathlib\npathlib.Path(__file__).with_suffix('.imported').touch()\n{text}")
    return path


def was_imported(path):
    return path.with_suffix(".imported").exists()


def checkpoint(class_path="own_part.Net"):
    return {"hyper_parameters": {"num_features": 128, "backbone": {"class_path": class_path, "init_args": {}}}}


@pytest.mark.parametrize("name", ["own_part", "nets.own_part"])
def test_what_lies_in_the_current_folder_is_imported(name, tmp_path):
    path = own_module(tmp_path, name)
    import_parts(tmp_path / "best.ckpt", checkpoint(f"{name}.Net"), "model")
    assert was_imported(path)
    assert sys.path.count(str(tmp_path)) == 1
    assert sys.path[-1] == str(tmp_path)


def test_what_is_installed_but_not_named_is_not_imported(tmp_path, monkeypatch):
    path = own_module(tmp_path / "elsewhere")
    monkeypatch.syspath_prepend(tmp_path / "elsewhere")
    with pytest.raises(UserError) as info:
        import_parts(tmp_path / "best.ckpt", checkpoint(), "model")
    assert str(info.value) == (
        f"{tmp_path}/best.ckpt: needs module own_part (of model.backbone); put own_part.py into the current folder or "
        'name it with --import own_part (in Python, load(..., modules=["own_part"]))'
    )
    assert not was_imported(path)
    import_parts(tmp_path / "best.ckpt", checkpoint(), "data")  # of which it says nothing
    assert not was_imported(path)


@pytest.mark.parametrize(
    ("section", "where", "arguments"),
    [
        ("model", "model", {"_class_path": "own_part.Task"}),
        ("model", "model.loss", {"loss": {"class_path": "own_part.Loss"}}),
        ("model", "model.weighting", {"weighting": {"class_path": "own_part.Weights", "init_args": {}}}),
        ("model", "model.augmentations", {"augmentations": [{"class_path": "own_part.Louder"}]}),
        ("model", "model.backbone", {"backbone": {"class_path": "x", "of": {"a": {"class_path": "own_part.A"}}}}),
        ("model", "model.backbone", {"backbone": "own_part.Net"}),
        ("model", "model.augmentations", {"augmentations": ["own_part.Louder"]}),
        ("data", "data", {"_class_path": "own_part.Data"}),
    ],
)  # fmt: skip
def test_whatever_names_it(section, where, arguments, tmp_path, monkeypatch):
    path = own_module(tmp_path / "elsewhere")
    monkeypatch.syspath_prepend(tmp_path / "elsewhere")
    name = {"model": "hyper_parameters", "data": "datamodule_hyper_parameters"}[section]
    with pytest.raises(UserError, match=rf"needs module own_part \(of {where}\); put own_part\.py into"):
        import_parts(tmp_path / "best.ckpt", {name: arguments}, section)
    assert not was_imported(path)


@pytest.mark.parametrize("text", ["--model.backbone=own_part.Net", "class_path: own_part.Net\n"])
def test_what_the_user_names_as_well_is_imported(text, tmp_path, monkeypatch):
    path = own_module(tmp_path / "elsewhere")
    monkeypatch.syspath_prepend(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="needs module"):
        import_parts(tmp_path / "best.ckpt", checkpoint(), "model", "--ckpt_path=own_part.ckpt own_part.Other")
    import_parts(tmp_path / "best.ckpt", checkpoint(), "model", text)
    assert was_imported(path)


def test_what_has_been_imported_already_is_taken(tmp_path, monkeypatch):
    own_module(tmp_path / "elsewhere")
    monkeypatch.syspath_prepend(tmp_path / "elsewhere")
    import_modules(["own_part"], "--import")
    import_parts(tmp_path / "best.ckpt", checkpoint(), "model")


def test_texts_and_known_packages_are_left_alone(tmp_path):
    arguments = {
        "_class_path": "musiclab.tasks.ClassificationTask",
        "_instantiator": "pytorch_lightning.cli.instantiate_module",
        "target_names": ["os.path", "J.Pop"],
        "pretrained": "antigravity.ckpt",
        "features": "not.there",
        "optimizer": {"class_path": "torch.optim.Adam"},
        "backbone": {"class_path": "LSTM"},
    }
    import_parts(tmp_path / "best.ckpt", {"hyper_parameters": arguments}, "model")
    assert "antigravity" not in sys.modules


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("class Other: pass", r"needs own_part\.Net \(of model\.backbone\), but .*own_part\.py has no Net"),
        (
            "import not_there_at_all",
            r"own_part \(of model\.backbone\) cannot be imported: it needs module not_there_at_",
        ),
        ("class Net:", r"own_part \(of model\.backbone\) cannot be imported: \w+Error: .*line 3"),
        ("raise ValueError('no\\nGPU')", "cannot be imported: ValueError: no GPU"),
    ],
)
def test_a_module_without_the_class_or_with_a_mistake_is_named(text, message, tmp_path):
    own_module(tmp_path, text=text)
    with pytest.raises(UserError, match=message) as info:
        import_parts(tmp_path / "best.ckpt", checkpoint(), "model")
    assert "\n" not in str(info.value)


def test_modules_are_named_as_python_has_them(tmp_path):
    with pytest.raises(UserError, match=r"--import own_part: no such module; put own_part\.py into the current folder"):
        import_modules(["own_part"], "--import")
    for name in ("own_part.py/", "a b", "", "nets/own_part"):
        with pytest.raises(UserError, match=r"not the name of a module, as own_backbone for own_backbone\.py"):
            import_modules([name], "--import")


def test_the_current_folder_is_added_once_and_last(tmp_path):
    before = list(sys.path)
    for _ in range(2):
        find_in_current_folder()
    assert sys.path == [*before, str(tmp_path)]


@pytest.mark.parametrize("name", ["optimizer", "backbone", "augmentations"])
@pytest.mark.parametrize(
    "text",
    [
        "class_path: antigravity.X",
        '{"class_path": "antigravity.X"}',
        'class_path: "anti\\x67ravity.X"',
        "[antigravity.X]",
        "own.yaml",
        "outer.yaml",
    ],
)
def test_a_text_that_the_parser_would_read_as_more_counts_as_that(name, text, tmp_path):
    """It reads YAML and JSON, and files that a text names: before, they had any installed module imported."""
    (tmp_path / "own.yaml").write_text("class_path: antigravity.X")
    (tmp_path / "outer.yaml").write_text("class_path: LSTM\ninit_args: {layers: own.yaml}")
    with pytest.raises(UserError, match="needs module antigravity"):
        import_parts(tmp_path / "best.ckpt", {"hyper_parameters": {name: text}}, "model")
    assert "antigravity" not in sys.modules
