"""Augmentations change what they say they change, within each track's own frames, and nothing else."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from musiclab.augmentations import CropTime, FilterAugment, MaskFeatures, MaskTime, Mixup, RollTime, ShiftFeatures
from musiclab.batch import Batch
from musiclab.errors import UserError

MEL = [ShiftFeatures(1, mels=4), FilterAugment(mels=4)]
AUGMENTATIONS = [RollTime(), CropTime(6), MaskTime(), MaskFeatures(2, 0.5), Mixup(), *MEL]

several_lengths = st.lists(st.integers(1, 30), min_size=1, max_size=5)
seeds = st.integers(0, 2**32)
fractions = st.floats(0.01, 1)

every_augmentation = pytest.mark.parametrize("augmentation", AUGMENTATIONS, ids=lambda a: type(a).__name__)


def make_batch(lengths, features=4):
    """A batch with padding beyond its longest track, whose values all differ and are not zero."""
    shape = (len(lengths), max(lengths) + 3, features)
    values = torch.arange(1.0, 1 + np.prod(shape)).reshape(shape)
    return Batch(values, torch.tensor(lengths), torch.eye(len(lengths)), [str(n) for n in range(len(lengths))])


def own_frames(batch):
    return [frames[:length].numpy() for frames, length in zip(batch.spectrograms, batch.lengths, strict=True)]


def runs(flags):
    """Number of separate spans of True."""
    return int(np.sum(np.diff(np.concatenate([[0], flags])) == 1))


@every_augmentation
def test_the_given_batch_is_left_as_it_is(augmentation):
    batch = make_batch([3, 10, 7])
    tensors = [batch.spectrograms, batch.lengths, batch.targets]
    before = [tensor.clone() for tensor in tensors]
    augmentation(batch)
    assert all(torch.equal(*pair) for pair in zip(tensors, before, strict=True))


@every_augmentation
def test_the_seed_decides(augmentation):
    batch = make_batch([9, 30, 17])
    results = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        results.append(augmentation(batch).spectrograms)
    assert torch.equal(results[0], results[1])
    assert not torch.equal(results[0], results[2])


@every_augmentation
def test_shapes_types_and_ids_stay(augmentation):
    batch = make_batch([3, 10, 7])
    changed = augmentation(batch)
    assert changed.ids == batch.ids
    assert changed.targets.shape == batch.targets.shape
    assert changed.spectrograms.shape[::2] == batch.spectrograms.shape[::2]
    assert changed.spectrograms.dtype == torch.float32
    assert changed.lengths.dtype == torch.int64


@every_augmentation
def test_tracks_of_one_frame(augmentation):
    changed = augmentation(make_batch([1, 1]))
    assert changed.lengths.tolist() == [1, 1]
    assert torch.isfinite(changed.spectrograms).all()


class TestRollTime:
    @settings(max_examples=30, deadline=None)
    @given(several_lengths, seeds)
    def test_each_track_is_rotated_within_its_length(self, lengths, seed):
        torch.manual_seed(seed)
        batch = make_batch(lengths)
        for before, after in zip(own_frames(batch), own_frames(RollTime()(batch)), strict=True):
            shift = int(np.flatnonzero(after[:, 0] == before[0, 0])[0])
            np.testing.assert_array_equal(after, np.roll(before, shift, axis=0))

    def test_padding_stays(self):
        batch = make_batch([3, 10])
        changed = RollTime()(batch).spectrograms
        assert torch.equal(changed[0, 3:], batch.spectrograms[0, 3:])
        assert torch.equal(changed[1, 10:], batch.spectrograms[1, 10:])

    def test_every_shift_occurs(self):
        torch.manual_seed(0)
        batch = make_batch([5] * 200)
        assert set((RollTime()(batch).spectrograms[:, 0, 0] - batch.spectrograms[:, 0, 0]).tolist()) == {
            0.0,
            4.0,
            8.0,
            12.0,
            16.0,
        }


class TestCropTime:
    @settings(max_examples=30, deadline=None)
    @given(several_lengths, st.integers(1, 35), seeds)
    def test_excerpts_are_contiguous_and_as_long_as_can_be(self, lengths, frames, seed):
        torch.manual_seed(seed)
        batch = make_batch(lengths)
        cropped = CropTime(frames)(batch)
        assert cropped.lengths.tolist() == [min(length, frames) for length in lengths]
        assert cropped.spectrograms.shape[1] == max(cropped.lengths)
        for before, after in zip(own_frames(batch), own_frames(cropped), strict=True):
            start = int(np.flatnonzero(before[:, 0] == after[0, 0])[0])
            np.testing.assert_array_equal(after, before[start : start + len(after)])

    def test_every_excerpt_occurs(self):
        torch.manual_seed(0)
        batch = make_batch([10] * 200)
        starts = (CropTime(7)(batch).spectrograms[:, 0, 0] - batch.spectrograms[:, 0, 0]) / 4
        assert set(starts.tolist()) == {0.0, 1.0, 2.0, 3.0}


class TestMaskTime:
    @settings(max_examples=50, deadline=None)
    @given(several_lengths, st.integers(0, 3), fractions, seeds)
    def test_few_and_short_spans_of_own_frames_become_zero(self, lengths, count, fraction, seed):
        torch.manual_seed(seed)
        batch = make_batch(lengths)
        changed = MaskTime(count, fraction)(batch).spectrograms.numpy()
        masked = (changed == 0).all(axis=2)
        np.testing.assert_array_equal(changed, np.where(masked[:, :, None], 0, batch.spectrograms))
        for row, length in zip(masked, lengths, strict=True):
            assert not row[length:].any()
            assert row.sum() <= count * fraction * length + 1e-3
            assert runs(row) <= count

    def test_one_span_takes_every_width_and_place(self):
        torch.manual_seed(0)
        changed = MaskTime(1, 0.5)(make_batch([4] * 400)).spectrograms[:, :4, 0]
        spans = {tuple(row.tolist()) for row in changed == 0}
        allowed = {
            tuple(start <= n < start + width for n in range(4)) for width in range(3) for start in range(5 - width)
        }
        assert spans == allowed


class TestMaskFeatures:
    @settings(max_examples=50, deadline=None)
    @given(several_lengths, st.integers(1, 40), st.integers(0, 3), fractions, seeds)
    def test_few_and_narrow_bands_of_all_frames_become_zero(self, lengths, features, count, fraction, seed):
        torch.manual_seed(seed)
        batch = make_batch(lengths, features)
        changed = MaskFeatures(count, fraction)(batch)
        for before, after in zip(own_frames(batch), own_frames(changed), strict=True):
            band = (after == 0).all(axis=0)
            np.testing.assert_array_equal(after, np.where(band, 0, before))
            assert band.sum() <= count * fraction * features + 1e-3
            assert runs(band) <= count

    def test_tracks_have_bands_of_their_own(self):
        torch.manual_seed(0)
        changed = MaskFeatures(1, 0.5)(make_batch([2] * 20, features=40)).spectrograms[:, 0]
        assert len({tuple(row.tolist()) for row in changed == 0}) > 10


class TestMixup:
    @settings(max_examples=30, deadline=None)
    @given(several_lengths, st.floats(0.1, 5), seeds)
    def test_tracks_and_targets_are_blended_alike(self, lengths, alpha, seed):
        torch.manual_seed(seed)
        batch = make_batch(lengths)  # one class per track, so that targets tell who was blended
        mixed = Mixup(alpha)(batch)
        np.testing.assert_allclose(mixed.targets.sum(dim=1), 1, atol=1e-6)
        own = own_frames(batch)
        for row, (target, after) in enumerate(zip(mixed.targets.numpy(), own_frames(mixed), strict=True)):
            weight = target[row]
            others = np.flatnonzero(np.where(np.arange(len(own)) == row, 0, target))
            partner = own[others[0]] if len(others) else own[row]
            repeats = -(-len(after) // len(partner))
            partner = np.tile(partner, (repeats, 1))[: len(after)]
            np.testing.assert_allclose(after, weight * own[row] + (1 - weight) * partner, rtol=1e-5)

    def test_lengths_stay(self):
        assert Mixup()(make_batch([3, 10, 7])).lengths.tolist() == [3, 10, 7]

    def test_values_are_blended_like_classes(self):
        batch = make_batch([5, 5])._replace(targets=torch.tensor([[0.2, 0.8], [0.6, 0.4]]))
        targets = Mixup()(batch).targets
        np.testing.assert_allclose(targets.sum(dim=1), 1, atol=1e-6)
        assert torch.all((targets[:, 0] >= 0.2 - 1e-6) & (targets[:, 0] <= 0.6 + 1e-6))

    @pytest.mark.parametrize("alpha", [0.3, 2.0])
    def test_weights_come_from_the_beta_distribution(self, alpha):
        torch.manual_seed(0)
        weights = Mixup(alpha)(make_batch([1] * 2000, features=1)).targets.diagonal().numpy()
        assert weights.mean() == pytest.approx(0.5, abs=0.03)
        assert weights.var() == pytest.approx(0.25 / (2 * alpha + 1), rel=0.1)


@pytest.mark.parametrize(
    ("augmentation", "arguments"),
    [
        (CropTime, {"frames": 0}),
        (MaskTime, {"fraction": 0.0}),
        (MaskTime, {"fraction": 1.1}),
        (MaskFeatures, {"fraction": -0.1}),
        (MaskTime, {"count": -1}),
        (MaskFeatures, {"count": -1}),
        (Mixup, {"alpha": 0.0}),
    ],
)
def test_wrong_arguments(augmentation, arguments):
    with pytest.raises(UserError, match=next(iter(arguments))):
        augmentation(**arguments)
