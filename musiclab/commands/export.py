"""``musiclab export``: a trained network as an ONNX file."""

from pathlib import Path

from musiclab.errors import UserError
from musiclab.files import shown
from musiclab.inference.export import export_onnx, require_onnx
from musiclab.inference.trained import TrainedModel


def export(*, ckpt_path: str, out: str) -> None:
    """Write a trained network, with its normalisation, as an ONNX file for applications without PyTorch.

    It takes spectrograms as in a data set's arrays, transposed: (batch, time, features), float32, padded in any way to
    the longest, and the lengths of the tracks in frames, (batch,), int64; batch and time may be any. It gives
    probabilities of genres, or values on axes, (batch, targets). The file's metadata name genres or axes and say how
    the features are made. It is asked about tracks of several lengths in onnxruntime, and is written if its answers are
    PyTorch's.

    Args:
        ckpt_path: Checkpoint of the model.
        out: File to write, .onnx.
    """
    path = Path(out).expanduser()
    if path.suffix.lower() != ".onnx":
        raise UserError(f"{path}: an export is an ONNX file; give a name that ends in .onnx")
    require_onnx()
    difference = export_onnx(TrainedModel(ckpt_path), path)
    size = path.stat().st_size / 1e6
    print(shown(f"{path}: {size:.1f} MB; its answers are PyTorch's to {difference:.1g}"))
