"""Mel bands are shifted and filtered as the classes say: by what is drawn evenly, a draw a track, and nothing else."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from musiclab.augmentations import FilterAugment, ShiftFeatures
from musiclab.batch import Batch
from musiclab.errors import UserError

MELS, CHROMA = 20, 3
SHIFT, FILTER = ShiftFeatures(4, mels=MELS), FilterAugment(0.4, 6, mels=MELS)

both = pytest.mark.parametrize("augmentation", [SHIFT, FILTER], ids=lambda a: type(a).__name__)


def make_batch(lengths, features=MELS + CHROMA, padding=2):
    torch.manual_seed(0)
    values = torch.randn(len(lengths), max(lengths) + padding, features)
    return Batch(values, torch.tensor(lengths), torch.eye(len(lengths)), list(map(str, range(len(lengths)))))


@both
def test_chroma_and_padding_stay_and_all_mel_bands_may_change(augmentation):
    batch = make_batch([3, 10, 1, 7])
    changed = augmentation(batch).spectrograms
    assert torch.equal(changed[:, :, MELS:], batch.spectrograms[:, :, MELS:])
    for length, before, after in zip(batch.lengths, batch.spectrograms, changed, strict=True):
        assert torch.equal(after[length:], before[length:])
    many = make_batch([2] * 200)
    differ = (augmentation(many).spectrograms != many.spectrograms)[:, :2, :MELS]
    assert differ.any(dim=0).all()


@both
def test_half_precision_stays_and_no_chroma_is_needed(augmentation):
    batch = make_batch([3, 5], features=MELS)
    batch = batch._replace(spectrograms=batch.spectrograms.bfloat16())
    assert augmentation(batch).spectrograms.dtype == torch.bfloat16
    assert augmentation(batch).spectrograms.shape == batch.spectrograms.shape


@both
def test_too_few_features_are_refused(augmentation):
    name = type(augmentation).__name__
    with pytest.raises(UserError, match=rf"{name} changes 20 mel bands, but a frame has 12 features; give .* as mels"):
        augmentation(make_batch([3, 5], features=12))


def shift_of(before, after):
    """By how many bands the bands of ``after`` ``(time, mels)`` lie above where they were, the edge being repeated."""
    bands = np.arange(before.shape[1])
    fits = [
        n for n in range(-len(bands), len(bands)) if np.array_equal(after, before[:, np.clip(bands - n, 0, MELS - 1)])
    ]
    (shift,) = fits
    return shift


@settings(max_examples=30, deadline=None)
@given(st.integers(0, MELS - 1), st.integers(0, 2**32))
def test_all_frames_of_a_track_are_shifted_alike_and_no_farther_than_asked(bands, seed):
    batch = make_batch([4, 2, 5])
    torch.manual_seed(seed)
    changed = ShiftFeatures(bands, mels=MELS)(batch).spectrograms
    for length, before, after in zip(batch.lengths, batch.spectrograms, changed, strict=True):
        assert abs(shift_of(before[:length, :MELS].numpy(), after[:length, :MELS].numpy())) <= bands


def test_a_shift_upwards_repeats_the_lowest_band():
    torch.manual_seed(1)
    batch = make_batch([1] * 20)._replace(spectrograms=torch.arange(5.0).expand(20, 1, 5))
    rows = {tuple(row) for row in ShiftFeatures(1, mels=5)(batch).spectrograms[:, 0].tolist()}
    assert rows == {(0, 0, 1, 2, 3), (0, 1, 2, 3, 4), (1, 2, 3, 4, 4)}


def test_shifts_are_even_and_each_track_has_its_own():
    batch = make_batch([1] * 1800, features=MELS, padding=0)
    changed = SHIFT(batch).spectrograms
    shifts = [shift_of(*pair) for pair in zip(batch.spectrograms.numpy(), changed.numpy(), strict=True)]
    values, counts = np.unique(shifts, return_counts=True)
    assert values.tolist() == list(range(-4, 5))
    assert stats.chisquare(counts).pvalue > 0.01


def gains_of(augmentation, batch):
    return (augmentation(batch).spectrograms - batch.spectrograms)[:, :, :MELS].double().numpy()


def test_all_frames_of_a_track_are_filtered_alike():
    gains = gains_of(FILTER, make_batch([5, 3, 4], padding=0))
    for length, track in zip([5, 3, 4], gains, strict=True):
        np.testing.assert_allclose(track[:length], np.tile(track[0], (length, 1)), atol=1e-6)
    assert not np.allclose(gains[0, 0], gains[1, 0], atol=0.01)


@pytest.mark.parametrize("points", [2, 3, 6])
def test_gains_are_as_numpy_interpolates_them(points, monkeypatch):
    drawn = []
    rand = torch.rand
    monkeypatch.setattr(torch, "rand", lambda *size, **options: drawn.append(rand(*size, **options)) or drawn[-1])
    gains = FilterAugment(0.4, points, MELS).filters(50, torch.device("cpu"))
    places, values = drawn
    for place, value, row in zip(places.numpy(), values.numpy(), gains.numpy(), strict=True):
        expected = np.interp(
            np.arange(MELS) / (MELS - 1), np.concatenate([[0], np.sort(place), [1]]), 0.4 * (2 * value - 1)
        )
        np.testing.assert_allclose(row, expected, atol=1e-4)


def test_gains_keep_to_their_limit_and_are_even_at_the_ends():
    gains = FilterAugment(0.4, 6, MELS).filters(3000, torch.device("cpu")).numpy()
    assert np.abs(gains).max() <= 0.4
    for end in (gains[:, 0], gains[:, -1]):
        assert stats.kstest(end, stats.uniform(-0.4, 0.8).cdf).pvalue > 0.01
    assert abs(stats.pearsonr(gains[:, 0], gains[:, -1]).statistic) < 0.05
    assert abs(gains.mean()) < 0.01


def test_places_between_the_ends_are_even():
    gains = FilterAugment(1.0, 3, 128).filters(3000, torch.device("cpu")).double().numpy()
    first, last = gains[:, 1] - gains[:, 0], gains[:, -1] - gains[:, -2]
    bent = np.abs(first - last) > 1e-4
    # Where the line through the first two bands meets that through the last two.
    places = ((gains[:, -1] - 127 * last - gains[:, 0]) / (first - last))[bent]
    inside = places[(places > 1) & (places < 126)]
    assert len(inside) > 2800
    assert stats.kstest(inside, stats.uniform(1, 125).cdf).pvalue > 0.01


def test_points_that_coincide_give_finite_gains(monkeypatch):
    monkeypatch.setattr(torch, "rand", lambda *size, device: torch.full(size, 1.0, device=device))
    assert torch.isfinite(FILTER.filters(2, torch.device("cpu"))).all()


def test_nothing_is_changed_by_no_shift_and_no_gain():
    batch = make_batch([3, 5])
    for augmentation in (ShiftFeatures(0, MELS), FilterAugment(0.0, 6, MELS)):
        assert torch.equal(augmentation(batch).spectrograms, batch.spectrograms)


@pytest.mark.parametrize(
    ("augmentation", "arguments"),
    [
        (ShiftFeatures, {"bands": -1}),
        (ShiftFeatures, {"bands": 128}),
        (ShiftFeatures, {"mels": 1}),
        (FilterAugment, {"gain": -0.1}),
        (FilterAugment, {"gain": float("nan")}),
        (FilterAugment, {"points": 1}),
        (FilterAugment, {"mels": 0}),
    ],
)
def test_wrong_arguments(augmentation, arguments):
    with pytest.raises(UserError, match=next(iter(arguments))):
        augmentation(**arguments)
