"""Tracks with any number of tags each, such as instruments, moods and styles."""

from typing import Any

from lightning_utilities.core.rank_zero import rank_zero_info

from musiclab.data.datamodules.folder import FolderDataModule
from musiclab.data.targets import TagTargets

NAMED = 3
"""So many of several tags are named."""


class TagDataModule(FolderDataModule):
    """Tracks of which each has any number of some tags.

    The root holds ``train/`` with ``train_labels.txt``: comma-separated, the header ``Id,rock,piano,...``, and 1 for
    the tags that a track has, 0 for the others. Parts are found as those of emotions are
    (:class:`musiclab.data.datamodules.EmotionDataModule`): those of ``validation_labels.txt`` and ``test_labels.txt``,
    which look alike, are given; others are drawn, by artists where they are known, and without regard to tags.

    Args:
        tags: Name of a column of ``train_labels.txt``, or names in the order of the model's outputs, as
            ``rock,piano`` or a list; null for all.
        test_fraction: Share of the labelled tracks held out for the test, unless there is a ``test_labels.txt``. They
            are drawn first, by ``seed`` alone. 0 to test nothing, not even given tracks.
        kwargs: See :class:`FolderDataModule`.
    """

    def __init__(self, *, tags: str | list[str] | None = None, test_fraction: float = 0.2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.save_hyperparameters(logger=False)
        self.targets = TagTargets(self.root / "train_labels.txt", tags)
        self.use_targets(self.targets, test_fraction)
        self.hparams.update(tags=self.target_names)  # another data set may have more columns

    def setup(self, stage: str) -> None:
        """Open the stores of a stage and make its datasets; say which tags cannot be learnt of the training part."""
        starts = stage == "fit" and "train" not in self.loading.datasets
        super().setup(stage)
        if starts and (untold := self.targets.untold(self.loading.datasets["train"].targets)):
            names = ", ".join(untold[:NAMED]) + (", ..." if len(untold) > NAMED else "")
            rank_zero_info(
                f"{self.root}: {len(untold)} of {len(self.target_names)} tags ({names}) have all "
                f"{len(self.loading.datasets['train'])} training tracks or none, so that they cannot be learnt"
            )
