"""Tracks with one genre each."""

from collections import Counter
from collections.abc import Mapping
from typing import Any, Literal

from lightning_utilities.core.rank_zero import rank_zero_info

from musiclab.data.datamodules.folder import FolderDataModule
from musiclab.data.labels import (
    LAB_CLASS_MAP,
    GenreLabels,
    describe_merge,
    lab_map,
    merge_genres,
    parse_genres,
    read_genre_labels,
    read_table,
    similar_genres,
)
from musiclab.data.targets import GenreTargets
from musiclab.files import stands_there


class GenreDataModule(FolderDataModule):
    """Tracks with one genre each.

    The root holds ``train/``, ``test/``, ``train_labels.txt`` and ``test_labels.txt``; parts that are drawn and
    ``limit`` are stratified by genre. With ``validation_labels.txt``, nothing is drawn. Without ``test_labels.txt``,
    nothing is tested, unless ``test_fraction`` is given.

    With ``folds`` and a ``test_fraction``, the tracks of number ``fold`` are the test part, and ``val_fraction`` of the
    others the validation part; without one, they are the validation part.

    Args:
        class_map: New name of each genre, null to drop its tracks; genres that are not named stay as they are.
            ``lab`` stands for the lab's merging of 20 genres into 10, ``auto`` for that where all genres of the set
            are among these 20, and for none elsewhere; null for none.
        target_names: Genres in the order of the model's outputs, as ``Blues,Jazz`` or a list; null: those of
            ``train_labels.txt``, sorted. The command line fills in those of a checkpoint that is tested or predicts.
        test_fraction: Share of the tracks of ``train/`` held out for the test, where there is no ``test_labels.txt``;
            null: the test is on the tracks of that file alone. 0 to test nothing.
        kwargs: See :class:`FolderDataModule`.
    """

    folder_name = "fma_genre_spectrograms"

    def __init__(
        self,
        *,
        class_map: Literal["auto", "lab"] | dict[str, str | None] | None = "auto",
        target_names: str | list[str] | None = None,
        test_fraction: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.save_hyperparameters(logger=False)
        self.is_automatic = class_map == "auto"
        self.class_map: Mapping[str, str | None] | None
        if class_map == "auto":
            self.class_map = lab_map(self._all_labels())
            # Of other sets that a checkpoint is tested on, what held for that of its training holds, too.
            self.hparams["class_map"] = "lab" if self.class_map else None
        else:
            self.class_map = LAB_CLASS_MAP if class_map == "lab" else class_map
        targets = GenreTargets(self.root / "train_labels.txt", self.class_map, target_names)
        self.use_targets(targets, test_fraction)
        if isinstance(target_names, str):
            self.hparams["target_names"] = self.target_names

    def _all_labels(self) -> list[GenreLabels]:
        """Return the labels of all parts, as far as they can be read; what is wrong is said where they are used."""
        paths = [self.root / f"{part}_labels.txt" for part in ("train", "validation", "test")]
        return [parse_genres(read_table(path), path)[0] for path in paths if stands_there(path)]

    def setup(self, stage: str) -> None:
        """Open the stores of a stage and make its datasets; say what ``class_map`` did, and which genres look alike."""
        if stage == "fit" and "train" not in self.loading.datasets:
            labels = read_genre_labels(self.parts.labels_path("train"))
            merged = describe_merge(labels, self.class_map)
            rank_zero_info(f"Genres of {self.root}: {', '.join(self.target_names)}")
            if merged:
                rank_zero_info(f"By class_map: {merged}")
            if self.is_automatic and not self.class_map and (would := describe_merge(labels, LAB_CLASS_MAP)):
                foreign = ", ".join(sorted(set(labels.genres) - LAB_CLASS_MAP.keys()))
                rank_zero_info(
                    f"Genres are not merged, as not all are the lab's ({foreign or 'others in test_labels.txt'}); "
                    f"--data.class_map lab would give: {would}"
                )
            for similar in similar_genres(Counter(merge_genres(labels, self.class_map).genres)):
                rank_zero_info(f"{self.root}: {similar}")
        super().setup(stage)
