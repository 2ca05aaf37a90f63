"""Small wheels laid out as that of musicnn: made-up weights in tables that are written here."""

import io
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np

MAGIC = 0xDB4775248B80FB57
TAGS = ["rock", "female vocalists", "80s"]
BANDS, TIMBRAL, TEMPORAL, LAYER, DENSE = 96, 3, 2, 4, 5
FRONT = 2 * TIMBRAL + 3 * TEMPORAL


def number(value: int) -> bytes:
    found = b""
    while value > 0x7F:
        found += bytes([value & 0x7F | 0x80])
        value >>= 7
    return found + bytes([value])


def block(entries: Mapping[bytes, bytes], every: int = 16, kind: int = 0) -> bytes:
    """A block with a full name every so many entries, its kind and an empty checksum."""
    content, restarts, before = b"", [], b""
    for index, (name, value) in enumerate(entries.items()):
        shared = 0
        if index % every == 0:
            restarts.append(len(content))
        else:
            while shared < min(len(before), len(name)) and before[shared] == name[shared]:
                shared += 1
        content += number(shared) + number(len(name) - shared) + number(len(value)) + name[shared:] + value
        before = name
    restarts = restarts or [0]
    return content + struct.pack(f"<{len(restarts) + 1}I", *restarts, len(restarts)) + bytes([kind]) + bytes(4)


def table(entries: Mapping[bytes, bytes], a_block: int = 20, kind: int = 0) -> bytes:
    """A table of blocks of so many entries."""
    content, index = b"", {}
    names = sorted(entries)
    for start in range(0, len(names), a_block):
        own = names[start : start + a_block]
        written = block({name: entries[name] for name in own}, kind=kind)
        index[own[-1] + b"~"] = number(len(content)) + number(len(written) - 5)
        content += written
    handles = b""
    for written in (block({}), block(index, every=1)):
        handles += number(len(content)) + number(len(written) - 5)
        content += written
    return content + handles.ljust(40, b"\0") + struct.pack("<Q", MAGIC)


def field(place: int, value: int | bytes) -> bytes:
    if isinstance(value, bytes):
        return number(place << 3 | 2) + number(len(value)) + value
    return number(place << 3) + number(value)


def entry(array: np.ndarray, offset: int) -> bytes:
    shape = b"".join(field(2, field(1, size)) for size in array.shape)
    kinds = {"float32": 1, "int64": 9}
    fields = field(1, kinds[array.dtype.name]) + field(2, shape) + field(4, offset) + field(5, array.nbytes)
    return fields + number(6 << 3 | 5) + bytes(4)


def checkpoint(tensors: Mapping[str, np.ndarray]) -> tuple[bytes, bytes]:
    """The index and the values of a TensorFlow checkpoint."""
    entries, values = {b"": field(1, 1) + field(3, field(1, 1))}, b""
    for name, array in tensors.items():
        entries[name.encode()] = entry(array, len(values))
        values += array.tobytes()
    return table(entries), values


def musicnn_tensors(tags: int = len(TAGS)) -> dict[str, np.ndarray]:
    """Weights of a small MusiCNN as TensorFlow names and shapes them, with what its optimizer keeps."""
    rng = np.random.default_rng(0)
    heights = [int(share * BANDS) for share in (0.4, 0.7)]
    kernels = [
        *((7, height, 1, TIMBRAL) for height in heights),
        *((length, 1, 1, TEMPORAL) for length in (128, 64, 32)),
        (7, FRONT, 1, LAYER),
        (7, LAYER, 1, LAYER),
        (7, LAYER, 1, LAYER),
    ]
    shapes = {}
    for index, kernel in enumerate(kernels):
        suffix = f"_{index}" if index else ""
        shapes |= {f"conv2d{suffix}/kernel": kernel, f"conv2d{suffix}/bias": kernel[-1:]}
    pooled = 2 * (FRONT + 3 * LAYER)
    shapes |= {"dense/kernel": (pooled, DENSE), "dense/bias": (DENSE,)}
    shapes |= {"dense_1/kernel": (DENSE, tags), "dense_1/bias": (tags,)}
    for index, size in enumerate([1, *(kernel[-1] for kernel in kernels), pooled, DENSE]):
        name = f"batch_normalization{f'_{index}' if index else ''}"
        shapes |= {f"{name}/{part}": (size,) for part in ("gamma", "beta", "moving_mean", "moving_variance")}
    tensors = {
        name: rng.uniform(*((-0.05, 0.05) if "kernel" in name else (0.1, 1)), shape).astype(np.float32)
        for name, shape in shapes.items()
    }
    tensors |= {f"{name}/Adam": np.zeros(shape, np.float32) for name, shape in shapes.items() if "kernel" in name}
    return {**tensors, "beta1_power": np.float32(0.9).reshape(()), "global_step": np.array(7, np.int64)}


def write_wheel(
    path: Path, tensors: Mapping[str, np.ndarray] | None = None, model: str = "MSD_musicnn", **files: bytes
) -> Path:
    """A wheel of one model; ``files`` stand in for the model's own, ``index``, ``data`` and ``configuration``."""
    index, values = checkpoint(musicnn_tensors() if tensors is None else tensors)
    content = {
        f"musicnn/{model}/.index": files.get("index", index),
        f"musicnn/{model}/.data-00000-of-00001": files.get("data", values),
        "musicnn/configuration.py": files.get(
            "configuration", f"import nothing\nSR = 16000\nMSD_LABELS = {TAGS}\n".encode()
        ),
        "musicnn-0.1.0.dist-info/METADATA": b"Name: musicnn\n",
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as wheel:
        for name, text in content.items():
            wheel.writestr(name, text)
    path.write_bytes(buffer.getvalue())
    return path
