"""Changes along the features of a frame."""

from abc import abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor

from musiclab.augmentations.augmentation import Augmentation, SpanMask, random_integers
from musiclab.batch import Batch
from musiclab.errors import UserError
from musiclab.models.backbone import frame_mask
from musiclab.spectrogram import NUM_MELS


class MaskFeatures(SpanMask):
    """Set random bands of neighbouring features to the mean; the widest are ``fraction`` of the features."""

    def __call__(self, batch: Batch) -> Batch:
        """Return the changed batch."""
        features = batch.spectrograms.shape[2]
        kept = self.kept(torch.full_like(batch.lengths, features), features)
        return batch._replace(spectrograms=batch.spectrograms * kept[:, None, :])


class MelAugmentation(Augmentation):
    """Changes the mel bands of a frame and leaves chroma as it is: pitch classes have neither a low nor a high end.

    A batch does not say which of its features are mel bands, so a config does.

    Args:
        mels: Number of mel bands, the first features of a frame.
    """

    def __init__(self, mels: int = NUM_MELS) -> None:
        if mels < 2:
            raise UserError(f"mels is {mels}; there are at least two mel bands")
        self.mels = mels

    def __call__(self, batch: Batch) -> Batch:
        """Return the changed batch; padding stays as it is, too.

        Raises:
            UserError: If a frame has fewer features than mel bands.
        """
        spectrograms = batch.spectrograms
        if spectrograms.shape[2] < self.mels:
            raise UserError(
                f"{type(self).__name__} changes {self.mels} mel bands, but a frame has {spectrograms.shape[2]} "
                "features; give their number as mels, or leave the augmentation out where there are none, as of chroma"
            )
        own = frame_mask(batch.lengths, spectrograms.shape[1])[:, :, None]
        bands = spectrograms[:, :, : self.mels]
        changed = torch.where(own, self.change(bands), bands)
        return batch._replace(spectrograms=torch.cat([changed, spectrograms[:, :, self.mels :]], dim=2))

    @abstractmethod
    def change(self, bands: Tensor) -> Tensor:
        """Return the changed mel bands ``(batch, time, mels)``."""


class ShiftFeatures(MelAugmentation):
    """Move the mel bands of each track up or down, all its frames alike, as if it were played higher or lower.

    Each shift from ``-bands`` to ``bands`` is as likely as any other. Where nothing comes in, the band at the edge is
    repeated. Over shifts by 1 to 4 bands, the bands that it replaces differ from it by 0.3 to 0.9 standard deviations
    (rms, at both ends, on GTZAN and FMA small; by up to 1.1 where 3 or 4 are missing), and by 1 from the mean. A strip
    at the mean would be one more mask besides.

    Args:
        bands: Widest shift, in mel bands.
        mels: Number of mel bands, the first features of a frame; chroma behind them stays as it is.

    Source:
        Schlüter and Grill 2015, "Exploring Data Augmentation for Improved Singing Voice Detection with Neural
        Networks", ISMIR: its pitch shifting, here by whole bands and of normalised values.
    """

    def __init__(self, bands: int = 4, mels: int = NUM_MELS) -> None:
        super().__init__(mels)
        if not 0 <= bands < mels:
            raise UserError(f"bands is {bands}; a shift is at least 0 and below the {mels} mel bands")
        self.bands = bands

    def change(self, bands: Tensor) -> Tensor:
        """Return the shifted mel bands ``(batch, time, mels)``."""
        shifts = random_integers(torch.full((len(bands),), 2 * self.bands + 1, device=bands.device)) - self.bands
        sources = (torch.arange(self.mels, device=bands.device) - shifts[:, None]).clamp(0, self.mels - 1)
        return bands.gather(2, sources[:, None, :].expand_as(bands))


class FilterAugment(MelAugmentation):
    """Make some regions of the spectrum of each track louder and others softer, as another recording would.

    A gain is drawn for the lowest band, the highest and random places between them, and changes linearly from one to
    the next; all frames of a track have the same. In the paper, a batch has one set of places, of random number and
    least distance; here each track has its own, ``points`` of them with the ends, at any distance.

    Args:
        gain: Highest gain either way, in standard deviations of a band, which batches are normalised by: 12 to 13 dB on
            GTZAN and FMA small, so that 0.4 is 5 dB; the paper has 6.
        points: Number of gains, at least the two at the ends.
        mels: Number of mel bands, the first features of a frame; chroma behind them stays as it is.

    Source:
        Nam et al. 2022, "FilterAugment: An Acoustic Environmental Data Augmentation Method", arXiv 2110.03282: the
        linear type.
    """

    def __init__(self, gain: float = 0.4, points: int = 6, mels: int = NUM_MELS) -> None:
        super().__init__(mels)
        if not gain >= 0:
            raise UserError(f"gain is {gain}; it must not be negative")
        if points < 2:
            raise UserError(f"points is {points}; a filter has at least two, at its ends")
        self.gain = gain
        self.points = points

    def change(self, bands: Tensor) -> Tensor:
        """Return the filtered mel bands ``(batch, time, mels)``."""
        return bands + self.filters(len(bands), bands.device)[:, None, :].to(bands.dtype)

    def filters(self, count: int, device: torch.device) -> Tensor:
        """Draw so many filters: the gain of each band, ``(count, mels)``."""
        inner = torch.rand(count, self.points - 2, device=device).sort(dim=1).values
        places = F.pad(F.pad(inner, (1, 0), value=0.0), (0, 1), value=1.0) * (self.mels - 1)
        gains = (2 * torch.rand(count, self.points, device=device) - 1) * self.gain
        bands = torch.arange(self.mels, device=device)
        before = (bands[None, :, None] >= places[:, None, 1:-1]).sum(dim=2)  # the point at or below each band
        low, high = places.gather(1, before), places.gather(1, before + 1)
        share = (bands - low) / (high - low).clamp(min=1e-6)
        return torch.lerp(gains.gather(1, before), gains.gather(1, before + 1), share)
