"""The frames of a data set kept on a GPU, and batches made there.

The lab's data are small beside a GPU's memory. Kept there, a batch is a gather on the device: no worker processes, no
padding on the host, and nothing to copy over but the numbers of its tracks.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from lightning_utilities.core.rank_zero import rank_zero_info
from pytorch_lightning import Trainer
from torch import Tensor
from tqdm import tqdm

from musiclab.batch import Batch
from musiclab.data.dataset import SpectrogramDataset
from musiclab.errors import UserError

SHARE = 0.5
"""How much of a device's free memory frames may take if nothing else is asked for: training needs the rest."""


class DeviceFrames:
    """The frames of some tracks one after the other on a device, in the store's dtype, and the way to gather them.

    Args:
        datasets: Of the same store and columns; tracks that several of them have are kept once.
        device: Where to keep them.
    """

    def __init__(self, datasets: Sequence[SpectrogramDataset], device: torch.device) -> None:
        store, columns = datasets[0].store, datasets[0].columns
        self.device = device
        self._positions = _union(datasets)
        lengths = store.lengths[self._positions]
        self._starts = np.cumsum(lengths) - lengths
        # The frame after the last is what padding is gathered from.
        self._padding = int(lengths.sum())
        features = columns.stop - columns.start
        self._frames = torch.empty(self._padding + 1, features, dtype=getattr(torch, store.dtype.name), device=device)
        self._frames[self._padding] = 0
        tracks = zip(self._positions, self._starts, lengths, strict=True)
        for position, start, length in tqdm(tracks, f"Copying to {device}", len(lengths), unit="track", delay=1):
            self._frames[start : start + length] = torch.from_numpy(store[position][:, columns])

    def starts(self, dataset: SpectrogramDataset) -> Tensor:
        """Return the first frame of each track of one of the datasets, ``(tracks,)``, on the device."""
        return torch.from_numpy(self._starts[np.searchsorted(self._positions, dataset.positions)]).to(self.device)

    def gather(self, starts: Tensor, lengths: Tensor, longest: int) -> Tensor:
        """Return padded frames, ``(batch, longest, features)`` float32, given those tensors on the device."""
        steps = torch.arange(longest, device=self.device)
        frames = torch.where(steps < lengths[:, None], starts[:, None] + steps, self._padding)
        return self._frames[frames].float()


class DeviceDataset(SpectrogramDataset):
    """A dataset whose batches are made on a device that holds its frames.

    Args:
        dataset: What is to be found there.
        frames: Those of this dataset, and perhaps of others.
    """

    def __init__(self, dataset: SpectrogramDataset, frames: DeviceFrames) -> None:
        super().__init__(dataset.store, dataset.ids, dataset.targets, dataset.columns)
        self._frames = frames
        self._starts = frames.starts(self)
        self._lengths = torch.from_numpy(self.lengths).to(frames.device)
        self._targets = self.targets.to(frames.device)

    def __getitems__(self, indices: Sequence[int]) -> Batch:
        """Return a batch of tracks on the device, without waiting for the device."""
        # Asked of the tensors there, the longest would have to be waited for.
        longest = int(self.store.lengths[self.positions[indices]].max())
        chosen = torch.tensor(indices).to(self._frames.device, non_blocking=True)
        lengths = self._lengths[chosen]
        spectrograms = self._frames.gather(self._starts[chosen], lengths, longest)
        return Batch(spectrograms, lengths, self._targets[chosen], [self.ids[index] for index in indices])


class Placement:
    """Decides where the batches of each part are made, and keeps the frames that are on a device.

    Args:
        on_device: Whether to keep frames on the GPU; None: if they fit well and nothing is said of loading.
        num_workers: Loading processes, if the user has asked for some number.
        pin_memory: Whether to load into pinned memory, if the user has said.

    Raises:
        UserError: If frames are to be kept on the GPU and to be loaded by other processes or into pinned memory.
    """

    def __init__(self, on_device: bool | None, num_workers: int | None, pin_memory: bool | None) -> None:
        if on_device and (num_workers or pin_memory):
            raise UserError(
                "on_device is true, so that nothing is loaded during an epoch; leave num_workers and pin_memory null, "
                "or on_device"
            )
        asked = num_workers is not None or pin_memory is not None
        self.on_device = False if on_device is None and asked else on_device
        self._kept: dict[tuple[torch.device, tuple[str, ...]], DeviceFrames | None] = {}

    def place(
        self, datasets: Mapping[str, SpectrogramDataset], part: str, trainer: Trainer | None
    ) -> SpectrogramDataset:
        """Return the dataset of a part, or one that makes the same batches on the trainer's device.

        Raises:
            UserError: If frames are to be kept on a GPU, but there is none, or they do not fit.
        """
        if self.on_device is False:
            return datasets[part]
        # What is trained and validated on has one store: it is decided at once for both.
        parts = ("train", "validation") if trainer is not None and trainer.state.fn == "fit" else (part,)
        device = torch.device("cpu") if trainer is None else trainer.strategy.root_device
        if (device, parts) not in self._kept:
            together = [datasets[name] for name in parts]
            fit = fit_on(device, together, self.on_device)
            self._kept[device, parts] = DeviceFrames(together, device) if fit else None
        frames = self._kept[device, parts]
        return datasets[part] if frames is None else DeviceDataset(datasets[part], frames)


def fit_on(device: torch.device, datasets: Sequence[SpectrogramDataset], on_device: bool | None) -> bool:
    """Tell whether the frames of some datasets of one store are to be kept on a device, and say so if it is a GPU.

    Raises:
        UserError: If ``on_device`` asks for what cannot be.
    """
    if device.type != "cuda":
        if on_device:
            raise UserError("on_device is true, but the run is on no CUDA device; leave it null, or use a GPU")
        return False
    store, columns = datasets[0].store, datasets[0].columns
    positions = _union(datasets)
    needed = int(store.lengths[positions].sum()) * (columns.stop - columns.start) * store.dtype.itemsize
    free = free_memory(device)
    tracks, size, room = f"the {len(positions):,} tracks", f"{needed / 1e9:.1f} GB", f"{free / 1e9:.1f} GB"
    if on_device and needed > free:
        raise UserError(
            f"on_device is true, but {tracks} take {size}, and {room} are free on {device}; leave it null, or use "
            "fewer features or float16 (--data.store_dtype)"
        )
    fit = on_device or needed <= SHARE * free
    if fit:
        rank_zero_info(f"Batches are made on {device}, which holds {tracks} ({size})")
    else:
        rank_zero_info(
            f"Batches are made on the CPU: {tracks} take {size}, more than half of the {room} that are free on {device}"
        )
    return fit


def free_memory(device: torch.device) -> int:
    """Return the bytes of a GPU's memory that nobody uses, those included that PyTorch holds in reserve."""
    reserve = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return torch.cuda.mem_get_info(device)[0] + reserve


def _union(datasets: Sequence[SpectrogramDataset]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return the positions of the tracks of all datasets in their store, sorted, each once."""
    return np.unique(np.concatenate([dataset.positions for dataset in datasets]))
