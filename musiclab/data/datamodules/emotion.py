"""Tracks with values on emotional axes, such as valence, energy and danceability."""

from typing import Any

from musiclab.data.datamodules.folder import FolderDataModule
from musiclab.data.targets import EmotionTargets


class EmotionDataModule(FolderDataModule):
    """Tracks with a value on each of some axes.

    The root holds ``train/`` with ``train_labels.txt``, and ``test/`` whose labels are withheld. So the tracks to
    train, validate and test on all come from ``train/``; predictions are for ``test/``.

    A root whose ``test/`` has labels says so by ``test_labels.txt``, as ``train_labels.txt``: then these tracks are
    the test part and nothing is drawn. So are those of ``validation_labels.txt`` the validation part. With ``folds``,
    the tracks of the training and validation files are pooled, and those of ``test/`` are for predictions alone.

    With ``folds``, the tracks of number ``fold`` are the test part, and ``val_fraction`` of the others the
    validation part; if ``test_fraction`` is 0, they are the validation part, and nothing is tested.

    Args:
        axes: Name of a column of ``train_labels.txt``, or names in the order of the model's outputs, as
            ``valence,energy`` or a list; null for all.
        test_fraction: Share of the labelled tracks held out for the test. They are drawn first, by ``seed`` alone:
            they stay the same for any ``val_fraction`` and ``limit``. 0 to test nothing, not even given tracks.
        value_range: Lowest and highest value that a label can have.
        kwargs: See :class:`FolderDataModule`.
    """

    folder_name = "multitask_dataset"

    def __init__(
        self,
        *,
        axes: str | list[str] | None = None,
        test_fraction: float = 0.2,
        value_range: tuple[float, float] = (0.0, 1.0),
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.save_hyperparameters(logger=False)
        self.targets = EmotionTargets(self.root / "train_labels.txt", axes, value_range)
        self.use_targets(self.targets, test_fraction)
        # Another data set may have more columns, and a tuple is no plain value.
        self.hparams.update(axes=self.target_names, value_range=list(value_range))

    def setup(self, stage: str) -> None:
        """Open the stores that a stage needs and make its datasets.

        Raises:
            UserError: If a value is missing or out of range, there are too few tracks for the split, or all tracks
                of a part have the same value on an axis.
        """
        super().setup(stage)
        for name, dataset in self.loading.datasets.items():
            if name != "predict":
                given = name != "train" and self.parts.is_given(name)
                self.targets.check_spread(dataset.targets, name, self.parts.labels_path(name if given else "train"))
