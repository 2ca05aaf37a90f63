"""A trained network as an ONNX file, which other runtimes ask without PyTorch and without musiclab."""

import contextlib
import importlib
import io
import json
import logging
import math
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from musiclab import __version__
from musiclab.batch import Batch
from musiclab.checkpoint import fingerprint, output_kind
from musiclab.data.datamodules.audio import audio_recipe, sampled_every, training_window
from musiclab.errors import UserError, one_line
from musiclab.files import replacing
from musiclab.inference.trained import TrainedModel
from musiclab.models import Backbone
from musiclab.spectrogram import FRAME_SECONDS
from musiclab.tasks import SpectrogramTask

SPECTROGRAMS, LENGTHS = "spectrograms", "lengths"
OUTPUTS = {"classes": "probabilities", "values": "values", "tags": "probabilities"}
"""Names of inputs and outputs."""

EXTRA = ("onnx", "onnxscript", "onnxruntime")

ADVICE = (
    "see `masked` of musiclab.models.Backbone, which is to be of operations that depend on no value, or try other "
    "versions of onnxscript and onnxruntime"
)

TOLERANCE = 1e-4
"""By how much answers of the file may differ from PyTorch's, of 1 or of values that are greater."""

LONG = 200
"""Frames of the longest track that a file is tried on."""


class Answers(nn.Module):
    """A task as a function from spectrograms to answers, by operations of fixed course.

    Args:
        task: In evaluation mode. Its backbone is replaced.
    """

    def __init__(self, task: SpectrogramTask) -> None:
        super().__init__()
        task.backbone = _Masked(task.backbone)
        self.task = task

    def forward(self, spectrograms: Tensor, lengths: Tensor) -> Tensor:
        """Return probabilities or values, ``(batch, targets)``."""
        answers: Tensor = self.task.predict_step(Batch(spectrograms, lengths, lengths, []), 0)["predictions"]
        return answers


class _Masked(Backbone):
    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.backbone = backbone
        self.embedding_size = backbone.embedding_size

    def forward(self, spectrograms: Tensor, lengths: Tensor) -> Tensor:
        return self.backbone.masked(spectrograms, lengths)


def require_onnx() -> None:
    """Refuse to begin without the libraries of the extra.

    Raises:
        UserError: Saying how to install them.
    """
    for name in EXTRA:
        try:
            importlib.import_module(name)
        except ImportError:
            raise UserError(f"an export needs {name}; install it: pip install 'musiclab[onnx]'") from None


def export_onnx(trained: TrainedModel, path: Path) -> float:
    """Write a trained model as an ONNX file that says what goes in and comes out; see :func:`write_onnx`.

    Args:
        trained: The checkpoint.
        path: The file.
    """
    task = trained.task()
    about = {**describe(trained), "min_frames": str(_least(task))}
    return write_onnx(task, path, OUTPUTS[output_kind(trained.checkpoint)], about)


def write_onnx(task: SpectrogramTask, path: Path, output: str, about: Mapping[str, str]) -> float:
    """Write a task as an ONNX file, whole or not at all; it is tried before it gets its name.

    Args:
        task: In evaluation mode; it is not to be used afterwards.
        path: The file.
        output: Name of the output.
        about: The file's metadata.

    Returns:
        By how much its answers differ from PyTorch's at most.

    Raises:
        UserError: If the task cannot be exported, or the file would give other answers.
    """
    require_onnx()
    backbone = type(task.backbone).__qualname__
    tracks = list(_trials(task))
    with torch.inference_mode():
        expected = [task.predict_step(Batch(*track, track[1], []), 0)["predictions"].numpy() for track in tracks]
    with replacing(path) as partial, _quietly():
        # An earlier export leaves there that recurrences are unrolled, and frames would be of one number.
        getattr(torch.ops.aten.lstm.input, "_dispatch_cache", {}).clear()
        try:
            program: Any = torch.onnx.export(
                Answers(task).eval(),
                tracks[0],
                dynamo=True,
                dynamic_shapes={SPECTROGRAMS: {0: "batch", 1: "time"}, LENGTHS: {0: "batch"}},
                input_names=[SPECTROGRAMS, LENGTHS],
                output_names=[output],
                verbose=False,
            )
            program.model.metadata_props.update(about)
            program.save(partial, external_data=False)
            found = _ask(partial, tracks)
        except Exception as error:  # what a network does that has no counterpart fails in any way
            if isinstance(error, OSError):
                raise
            raise UserError(
                f"{path}: not written, since {backbone} cannot be exported ({one_line(error):.200}); {ADVICE}"
            ) from error
        difference = max(map(_difference, found, expected))
        if not difference <= TOLERANCE:  # nor NaN
            raise UserError(
                f"{path}: not written, since the answers of {backbone} would differ from PyTorch's by "
                f"{difference:.2g}; {ADVICE}"
            )
    return difference


def describe(trained: TrainedModel) -> dict[str, str]:
    """Return what a file says of its model: text, or JSON where it is no single word or number."""
    arguments, checkpoint = trained.hyperparameters, trained.checkpoint
    try:
        recipe = audio_recipe(checkpoint, str(trained.path))
        made = recipe.plain()
        every = None if arguments["beat_synced"] else sampled_every(recipe, arguments["seconds"])
        step = every / (recipe.seconds or FRAME_SECONDS) if every else 1.0
    except UserError:  # of arrays that are not made of audio here
        made, step = arguments.get("recipe") or {}, 1.0
    return {
        "musiclab": __version__,
        "kind": output_kind(checkpoint),
        "target_names": json.dumps(arguments["target_names"], ensure_ascii=False),
        "features": arguments["features"],
        "num_features": str(arguments["num_features"]),
        "beat_synced": json.dumps(arguments["beat_synced"]),
        "seconds": repr(float(arguments["seconds"])),
        "recipe": json.dumps(made),
        "step": repr(step),
        "window": repr(training_window(checkpoint)),
        "model": fingerprint(checkpoint["state_dict"]),
    }


def _trials(task: SpectrogramTask) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield batches of several lengths, and tracks alone, of values as in training; what pads them is nonsense.

    The first is what an export is traced by, which takes the longer, the more frames it has. It has several frames, or
    patches of such, since an export takes what is one for always one.
    """
    generator = torch.Generator().manual_seed(0)
    least = _least(task)
    trials = [[5 * least, 7 * least, 2 * least], [LONG // 3, LONG, 7], [LONG], [1], [31, 2, 1, 31, 16]]
    for lengths in ([max(length, least) for length in trial] for trial in trials):
        frames = torch.randn(len(lengths), max(lengths), len(task.feature_mean), generator=generator)
        frames = task.feature_mean + task.feature_std * frames
        for row, length in zip(frames, lengths, strict=True):
            row[length:] = 1000.0
        yield frames, torch.tensor(lengths)


def _least(task: SpectrogramTask) -> int:
    """Return the fewest frames that a network takes; a module that is no ``Backbone`` does not say it."""
    return int(getattr(task.backbone, "min_frames", 1))


def _ask(path: Path, tracks: list[tuple[Tensor, Tensor]]) -> list[npt.NDArray[np.float32]]:
    """Return what a file answers to some batches."""
    onnxruntime = importlib.import_module("onnxruntime")
    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    return [
        session.run(None, {SPECTROGRAMS: frames.numpy(), LENGTHS: lengths.numpy()})[0] for frames, lengths in tracks
    ]


def _difference(found: npt.NDArray[np.float32], expected: npt.NDArray[np.float32]) -> float:
    if found.shape != expected.shape:
        return math.inf
    return float((np.abs(found - expected) / np.maximum(1, np.abs(expected))).max())


@contextmanager
def _quietly() -> Iterator[None]:
    """Keep the exporter from saying what no user can do anything about."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(action="ignore"), contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logger.setLevel(level)
