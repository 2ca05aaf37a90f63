"""Tracks with one genre each."""

from collections.abc import Mapping
from typing import Any, Literal

import torch
from lightning_utilities.core.rank_zero import rank_zero_info
from torch import Tensor

from musiclab.data.datamodules.folder import FolderDataModule
from musiclab.data.datamodules.tracks import Part
from musiclab.data.labels import (
    LAB_CLASS_MAP,
    GenreLabels,
    describe_merge,
    is_emotion,
    merge_genres,
    read_genre_labels,
    read_table,
)
from musiclab.data.store import open_store
from musiclab.errors import UserError


class GenreDataModule(FolderDataModule):
    """Tracks with one genre each.

    The root holds ``train/``, ``test/``, ``train_labels.txt`` and ``test_labels.txt``; validation parts that are
    drawn and ``limit`` are stratified by genre. With ``validation_labels.txt``, nothing is drawn.

    Args:
        class_map: New name of each genre, null to drop its tracks; genres that are not named stay as they are.
            ``lab`` stands for the lab's merging of 20 genres into 10; null for none.
        target_names: Genres in the order of the model's outputs; null: those of ``train_labels.txt``, sorted. The
            command line fills in the names of a checkpoint that is tested or predicts.
        kwargs: See :class:`FolderDataModule`.
    """

    demo_folder = "fma_genre_spectrograms"

    def __init__(
        self,
        *,
        class_map: Literal["lab"] | dict[str, str | None] | None = "lab",
        target_names: list[str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.save_hyperparameters(logger=False)
        self._keep_plain_paths()
        self.class_map: Mapping[str, str | None] | None = LAB_CLASS_MAP if class_map == "lab" else class_map
        self.target_names = target_names or sorted(set(self._read("train").genres))

    def setup(self, stage: str) -> None:
        """Open the stores that a stage needs and make its datasets; say what ``class_map`` did."""
        if stage == "fit" and "train" not in self._datasets:
            self.test_part()  # a wrong test label would otherwise come to light after hours of training
            merged = describe_merge(read_genre_labels(self.labels_path("train")), self.class_map)
            rank_zero_info(f"Genres of {self.root}: {', '.join(self.target_names)}")
            if merged:
                rank_zero_info(f"By class_map: {merged}")
        super().setup(stage)

    def labelled_part(self, name: str) -> Part:
        """Return the tracks of the label file of a part, with their genres."""
        labels = self._read(name)
        number = {genre: index for index, genre in enumerate(self.target_names)}
        unknown = sorted(set(labels.genres) - number.keys())
        if unknown:
            raise UserError(
                f"{self.labels_path(name)}: genre {', '.join(unknown)} is none of the model's "
                f"({', '.join(self.target_names)}); correct the labels or map it with --data.class_map"
            )
        targets = torch.tensor([number[genre] for genre in labels.genres])
        return Part("test" if name == "test" else "train", labels.ids, targets, labels.genres)

    def test_part(self) -> Part:
        """Return the tracks of ``test_labels.txt`` with their genres."""
        return self.labelled_part("test")

    def predict_part(self) -> Part:
        """Return all tracks of ``test/``, with their genres as far as ``test_labels.txt`` gives them."""
        path = self.labels_path("test")
        known = path.exists() and not is_emotion(read_table(path))
        labels = merge_genres(read_genre_labels(path), self.class_map) if known else GenreLabels([], [])
        genres = dict(zip(*labels, strict=True))
        numbers = {genre: index for index, genre in enumerate(self.target_names)}
        ids = open_store(self.root / "test", self.store_dtype, self.cache).ids
        targets = self.unknown_targets(len(ids), len(numbers))
        for index, identifier in enumerate(ids):
            if genres.get(identifier) in numbers:
                targets[index] = numbers[genres[identifier]]
        return Part("test", ids, targets, None)

    @staticmethod
    def unknown_targets(tracks: int, targets: int) -> Tensor:
        """Return -1 for each track."""
        return torch.full((tracks,), -1)

    def _read(self, part: str) -> GenreLabels:
        path = self.labels_path(part)
        labels = merge_genres(read_genre_labels(path), self.class_map)
        if not labels.ids:
            raise UserError(f"{path}: class_map drops every track; use --data.class_map null to keep all genres")
        return labels
