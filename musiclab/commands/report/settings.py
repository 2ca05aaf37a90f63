"""What was set for a run: what it does not depend on left out, and what tells two runs apart in words."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from musiclab.runs.files import pick
from musiclab.runs.run import Run

CLASS = "class"
"""Under which name a simplified part keeps its class."""

IRRELEVANT: dict[str, Sequence[str]] = {
    "": ("ckpt_path", "seed_everything", "solution", "weights_only"),
    "trainer": (
        "accelerator", "barebones", "default_root_dir", "devices", "enable_autolog_hparams", "enable_model_summary",
        "enable_progress_bar", "limit_predict_batches", "log_every_n_steps", "logger", "model_registry", "num_nodes",
        "num_sanity_val_steps", "profiler", "strategy",
    ),
    "data": ("cache", "fold", "num_workers", "pin_memory", "on_device"),
}  # fmt: skip
"""Settings that say where and on what a run was made, or of which fold, not what was learnt; the record knows seed and
processes."""

PATHS = (("model", "pretrained"), ("data", "leave_out"))
"""Files that each seed or fold of a study may have its own of: their names then hold ``seed_0`` or ``fold_1``."""


def data_setting(run: Run, name: str) -> Any:
    """Return an argument of the data, None where there is none."""
    return pick(run.config, "data", "init_args", name)


def fold_of(run: Run) -> int | None:
    """Return which fold of a cross-validation a run held out, None where it is of no cross-validation."""
    fold = data_setting(run, "fold")
    return fold if data_setting(run, "folds") and isinstance(fold, int) else None


def settings_of(run: Run) -> dict[str, Any]:
    """Return the settings that matter but for seed and fold, these also left out of the names of files."""
    tree = simplify(run.config)
    own = rf"(seed_{run.seed}|fold_{fold_of(run)})(?!\d)"
    for part, name in PATHS:
        path = pick(tree, part, name)
        if isinstance(path, str):
            tree[part][name] = re.sub(own, lambda found: found[0].split("_")[0], path)
    return tree


def simplify(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that matter but for the seed, with classes by their names, as on the command line."""
    tree = _simple(config)
    for part, names in IRRELEVANT.items():
        branch = pick(tree, part) if part else tree
        for name in names if isinstance(branch, dict) else ():
            branch.pop(name, None)
    return dict(tree)


def differences(base: Any, own: Any, name: str = "") -> Iterator[str]:
    """Yield in words what is set otherwise than in ``base``, as in ``model.loss.spearman 0.1``."""
    if isinstance(base, dict) and isinstance(own, dict) and base.get(CLASS) == own.get(CLASS):
        for key in sorted(base.keys() | own.keys()):
            if base.get(key) != own.get(key):
                yield from differences(base.get(key), own.get(key), f"{name}.{key}".lstrip("."))
    elif _are_parts(base) and _are_parts(own):
        theirs, ours = _by_class(base), _by_class(own)
        if list(theirs) == list(ours):
            yield from differences(theirs, ours, name)
        else:
            yield f"{name} {', '.join(map(_in_words, own)) or 'none'}"
    elif base != own:
        yield f"{name} {_in_words(own)}"


def _simple(value: Any) -> Any:
    if isinstance(value, Mapping):
        if "class_path" in value:
            arguments = pick(value, "init_args")
            rest = _simple(arguments) if isinstance(arguments, Mapping) else {}
            return {CLASS: str(value["class_path"]).rsplit(".", 1)[-1], **rest}
        return {str(key): _simple(item) for key, item in value.items()}
    return [_simple(item) for item in value] if isinstance(value, list | tuple) else value


def _are_parts(value: Any) -> bool:
    """Whether a value is a list of classes with their arguments, such as augmentations."""
    return isinstance(value, list) and all(isinstance(item, dict) and CLASS in item for item in value)


def _by_class(parts: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the parts by the names of their classes; a second one of a class is number 2."""
    names: dict[str, dict[str, Any]] = {}
    for part in parts:
        count = sum(other[CLASS] == part[CLASS] for other in names.values())
        names[f"{part[CLASS]}{count + 1 if count else ''}"] = part
    return names


def _in_words(value: Any) -> str:
    if isinstance(value, dict):
        name = value.get(CLASS)
        items = [(key, item) for key, item in value.items() if key != CLASS and item is not None]
        arguments = ", ".join(f"{key} {_in_words(item)}" for key, item in items)
        if name is None:
            return f"{{{arguments}}}"
        return f"{name} ({arguments})" if arguments else str(name)
    if isinstance(value, list):
        return f"[{', '.join(map(_in_words, value))}]"
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return str(value)
