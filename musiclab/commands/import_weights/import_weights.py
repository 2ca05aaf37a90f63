"""``musiclab import-weights``: the wheel of musicnn to a checkpoint."""

from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from musiclab.commands.import_weights.musicnn import sizes, state_dict
from musiclab.commands.import_weights.wheel import read_model
from musiclab.errors import UserError
from musiclab.files import shown
from musiclab.models import MusiCNN
from musiclab.runs.checkpoint_io import WholeCheckpointIO
from musiclab.spectrogram import MUSICNN
from musiclab.tasks import TaggingTask

FRAMES = 187
"""Length in frames of the excerpts that MusiCNN was trained on, 3 s."""


def import_weights(wheel: str, *, out: str, model: str = "MSD_musicnn") -> None:
    """Turn the published weights of MusiCNN into a checkpoint.

    The checkpoint is one of a TaggingTask with 50 tags, which all commands take: `predict` says the tags of songs,
    `musiclab.load(CKPT).embed` what the network knows of them, and a training starts from it by --model.pretrained.
    Nothing in the wheel is run, and TensorFlow is not needed.

    Args:
        wheel: Wheel of the Python package musicnn, which `pip download --no-deps musicnn==0.1.0` fetches.
        out: Checkpoint to write, as musicnn.ckpt.
        model: Which of its models: MSD_musicnn knows tags of the Million Song Dataset, MTT_musicnn of MagnaTagATune.
    """
    path, checkpoint = Path(wheel).expanduser(), Path(out).expanduser()
    if checkpoint.is_dir():
        raise UserError(f"{out}: a folder; give a file in it to --out, as {checkpoint / f'{model}.ckpt'}")
    if path.exists() and checkpoint.exists() and checkpoint.samefile(path):
        raise UserError(f"{out}: the wheel itself; give another file to --out")
    tensors, tags = read_model(path, model)
    source = f"{path}: {model}"
    found = sizes(tensors, source)
    task = TaggingTask(
        num_features=MUSICNN.mels,
        target_names=tags,
        features="all",
        seconds=MUSICNN.seconds,
        recipe={**MUSICNN.plain(), "about": f"mel bands as {model} of the Python package musicnn reads them"},
        backbone=partial(MusiCNN, **found),
    )
    task.load_state_dict(state_dict(tensors, task.state_dict(), source))
    WholeCheckpointIO().save_checkpoint(checkpoint_of(task, FRAMES), checkpoint)
    print(shown(f"{model}: {len(tags)} tags, embeddings of {found['embedding_size']} values: {checkpoint}"))
    print(shown(f"Ask it by: musiclab predict --ckpt_path {checkpoint} --data.paths song.mp3"))


def checkpoint_of(task: TaggingTask, frames: int) -> dict[str, Any]:
    """Return a checkpoint of a task that nothing has trained here.

    Args:
        task: The task. It does not normalise: MusiCNN does so by its first batch norm.
        frames: Length of the tracks that it was trained on.
    """
    checkpoint: dict[str, Any] = {
        "pytorch-lightning_version": version("pytorch-lightning"),
        "epoch": 0,
        "global_step": 0,
        "state_dict": task.state_dict(),
        "hyper_parameters": dict(task.hparams),
    }
    task.on_save_checkpoint(checkpoint)
    return {**checkpoint, "track_frames": frames}
