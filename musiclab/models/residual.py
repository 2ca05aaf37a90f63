"""Residual convolutional backbone."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from musiclab.errors import UserError
from musiclab.models.cnn import CNN, Block
from musiclab.models.pooled_norm import Pool


class ResidualCNN(CNN):
    """The CNN's blocks, each with residual units of two convolutions and squeeze-excitation behind it.

    Convolutions look for the same shapes at any frequency, but what a shape means depends on where it is: so frequency
    is an input as well, as a map that rises from -1 to 1. Kernels of 1 in the later units limit the receptive field,
    since deep networks on music otherwise learn the training set by heart.

    The full resolution, where time goes, is left to a single convolution, and maps are pooled before they are
    normalised, as in the CNN; the units work on what is left.

    Padding is seen by no convolution, no statistics and no squeeze; any length and any number of features will do.

    Args:
        num_features: Values per frame. Any number fits: the network does not depend on it.
        channels: Maps of each block.
        units: Residual units behind each block; 0 for none.
        kernels: Height and width of the convolutions of the units of each block; odd.
        kernel_size: Height and width of the blocks' own convolutions; odd.
        pools: Pooling of each block, over time and frequency alike, or a pair: over time, and over frequency.
        squeeze: By how much fewer values than maps a unit's squeeze-excitation has; 0 for none.
        coordinate: Whether frequency is an input.
        dropout: Probability of dropping a value of the embedding.

    Source:
        Won et al. 2020, "Evaluation of CNN-based automatic music tagging models", arXiv 2006.00751 (short-chunk CNN
        with residual connections); Koutini et al. 2021, "Receptive field regularization techniques for audio
        classification and tagging with deep convolutional neural networks", arXiv 2105.12395 (receptive field, and
        frequency as an input); Hu et al. 2018, "Squeeze-and-excitation networks", arXiv 1709.01507. In spirit: sizes,
        pooling and order are ours.
    """

    def __init__(
        self,
        num_features: int,
        channels: Sequence[int] = (24, 48, 96, 128),
        units: Sequence[int] = (0, 1, 1, 1),
        kernels: Sequence[int] = (3, 3, 1, 1),
        kernel_size: int = 3,
        pools: Sequence[Pool] = (2, 2, 2, 2),
        squeeze: int = 8,
        coordinate: bool = True,
        dropout: float = 0.3,
    ) -> None:
        super().__init__(num_features, channels, kernel_size, pools, dropout)
        for name, sizes in (("units", units), ("kernels", kernels)):
            if len(sizes) != len(channels):
                raise UserError(f"{len(channels)} channels and {len(sizes)} {name}; give one of each per block")
        if min(units) < 0:
            raise UserError(f"units are {units}; they must not be negative")
        if any(kernel < 1 or kernel % 2 == 0 for kernel in kernels):
            raise UserError(f"kernels are {kernels}; they must be odd, so that a frame stays where it is")
        if squeeze < 0:
            raise UserError(f"squeeze is {squeeze}; it must not be negative")
        self.coordinate = coordinate
        inputs = [2 if coordinate else 1, *channels[:-1]]
        self.blocks = nn.ModuleList(
            Stage(Block(before, maps, kernel_size, pool), [Unit(maps, kernel, squeeze) for _ in range(count)])
            for before, maps, pool, kernel, count in zip(inputs, channels, pools, kernels, units, strict=True)
        )
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def images(self, spectrograms: Tensor) -> Tensor:
        """Return the spectrograms, and frequency, as maps: ``(batch, maps, time, features)``."""
        if not self.coordinate:
            return super().images(spectrograms)
        features = spectrograms.shape[2]
        heights = torch.arange(features, device=spectrograms.device, dtype=spectrograms.dtype)
        heights = heights * (2 / max(features - 1, 1)) - 1
        # Put together so, maps are the last axis in memory, as convolutions on a CPU want it.
        return torch.stack([spectrograms, heights.expand_as(spectrograms)], dim=3).permute(0, 3, 1, 2)


class Stage(nn.Module):
    """A block and the residual units behind it."""

    def __init__(self, block: Block, units: Sequence["Unit"]) -> None:
        super().__init__()
        self.block = block
        self.units = nn.ModuleList(units)

    @property
    def pool_size(self) -> Pool:
        """The block's pooling."""
        return self.block.pool_size

    def forward(self, images: Tensor, lengths: Tensor, padding: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return maps, lengths and padding, see :class:`musiclab.models.cnn.Block`."""
        images, lengths, padding = self.block(images, lengths, padding)
        for unit in self.units:
            images = unit(images, lengths, padding)
        return images, lengths, padding

    def masked(self, images: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Return maps and lengths, by PyTorch's own layers."""
        images, lengths = self.block.masked(images, lengths)
        for unit in self.units:
            images = unit.masked(images, lengths)  # type: ignore[operator]
        return images, lengths


class Unit(nn.Module):
    """Two convolutions, whose result is weighted by squeeze-excitation and added to what they got, and ReLU.

    Args:
        maps: Number of maps.
        kernel_size: Height and width of the convolutions; odd.
        squeeze: By how much fewer values than maps the squeeze-excitation has; 0 for none.
    """

    def __init__(self, maps: int, kernel_size: int, squeeze: int) -> None:
        super().__init__()
        self.first = Block(maps, maps, kernel_size, pool=1)
        self.second = Block(maps, maps, kernel_size, pool=1, rectified=False)
        self.excitation = Excitation(maps, max(1, maps // squeeze)) if squeeze else None

    def forward(self, images: Tensor, lengths: Tensor, padding: Tensor | None) -> Tensor:
        """Return the maps, zero in padding; for the arguments see :class:`musiclab.models.cnn.Block`."""
        maps = self.first(images, lengths, padding)[0]
        maps = self.second(maps, lengths, padding)[0]
        return self._added(images, maps, lengths)

    def masked(self, images: Tensor, lengths: Tensor) -> Tensor:
        """Return the maps, by PyTorch's own layers."""
        maps = self.first.masked(images, lengths)[0]
        maps = self.second.masked(maps, lengths)[0]
        return self._added(images, maps, lengths)

    def _added(self, images: Tensor, maps: Tensor, lengths: Tensor) -> Tensor:
        if self.excitation is not None:
            maps = maps * self.excitation(maps, lengths)[:, :, None, None]
        return F.relu(images + maps)


class Excitation(nn.Module):
    """The weight of each map, from the means of all of them over a track's own frames.

    Args:
        maps: Number of maps.
        squeezed: Values in between.
    """

    def __init__(self, maps: int, squeezed: int) -> None:
        super().__init__()
        self.squeeze = nn.Linear(maps, squeezed)
        self.excite = nn.Linear(squeezed, maps)

    def forward(self, maps: Tensor, lengths: Tensor) -> Tensor:
        """Return the weights ``(batch, maps)``, 0 to 1, of ``(batch, maps, time, frequency)`` that is 0 in padding."""
        values = lengths.to(maps.device) * maps.shape[3]
        precision = torch.promote_types(maps.dtype, torch.float32)
        means = maps.sum(dim=(2, 3), dtype=precision) / values[:, None]
        return torch.sigmoid(self.excite(F.relu(self.squeeze(means))))
