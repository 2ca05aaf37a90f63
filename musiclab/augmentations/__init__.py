"""Random changes to training batches, chosen by config: ``model.augmentations``.

Each takes a batch of normalised spectrograms, so that zero is the mean of the training set, with targets as floats
(one-hot for genres), and returns a new batch. All randomness is torch's, which tasks seed anew for each batch.
"""

from musiclab.augmentations.augmentation import Augmentation
from musiclab.augmentations.frequency import FilterAugment, MaskFeatures, ShiftFeatures
from musiclab.augmentations.mixing import Mixup
from musiclab.augmentations.time import CropTime, MaskTime, RollTime

__all__ = [
    "Augmentation",
    "CropTime",
    "FilterAugment",
    "MaskFeatures",
    "MaskTime",
    "Mixup",
    "RollTime",
    "ShiftFeatures",
]
