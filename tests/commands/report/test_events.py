"""Curves read back from event files: values, epochs, what was logged twice, what is damaged."""

import numpy as np
import pytest

from commands.report.making import write_curves
from musiclab.commands.report.events import EVENT_FILES, count_records, curves, fit_seconds, read_events
from musiclab.errors import UserError


def read_all(folder):
    return [read_events(path) for path in sorted(folder.glob(EVENT_FILES))]


@pytest.fixture
def logged(tmp_path):
    best = write_curves(tmp_path, "genre", [], np.random.default_rng(0), epochs=3, start=1000.0)
    (path,) = tmp_path.glob(EVENT_FILES)
    return path, best


def test_curves_have_the_logged_values_at_epochs_counted_from_1(logged):
    path, best = logged
    found = curves([read_events(path)])
    assert sorted(found) == ["train_accuracy", "train_loss", "val_accuracy", "val_loss"]
    np.testing.assert_array_equal(found["val_accuracy"].epochs, [1, 2, 3])
    assert found["val_accuracy"].values.max() == best["value"]
    assert found["val_accuracy"].values.argmax() + 1 == best["epoch"]


def test_epochs_that_were_trained_again_after_an_interruption_count_once(tmp_path):
    rng = np.random.default_rng(0)
    write_curves(tmp_path, "genre", [], rng, epochs=3, start=1000)
    later = tmp_path / "later"
    write_curves(later, "genre", [], rng, epochs=3, first=1, start=5000)
    first, second = read_all(tmp_path)[0], read_all(later)[0]
    merged = curves([first, second])["train_loss"]
    np.testing.assert_array_equal(merged.epochs, [1, 2, 3, 4])
    parts = [curves([file])["train_loss"].values for file in (first, second)]
    np.testing.assert_array_equal(merged.values, [parts[0][0], *parts[1]])
    np.testing.assert_array_equal(curves([second, first])["train_loss"].values, merged.values)


def test_several_validations_of_an_epoch_are_spread_over_it(tmp_path):
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(tmp_path)) as writer:
        for step, epoch in ((1, 0), (3, 0), (5, 1), (7, 1)):
            writer.add_scalar("val_loss", step, step)
            writer.add_scalar("epoch", epoch, step)
    np.testing.assert_array_equal(curves(read_all(tmp_path))["val_loss"].epochs, [0.5, 1, 1.5, 2])


def test_seconds_are_summed_over_resumptions_without_the_pause(logged, tmp_path):
    file = read_events(logged[0])
    assert fit_seconds([]) is None
    shifted = file._replace(start=990.0)
    assert fit_seconds([shifted]) == pytest.approx(40)
    assert fit_seconds([shifted, shifted._replace(start=1000.0)]) == pytest.approx(70)
    test_only = file._replace(points={"test_loss": [], "epoch": file.points["epoch"]})
    assert fit_seconds([test_only]) is None


def test_whole_cut_off_and_empty_files(logged):
    path, _ = logged
    data = path.read_bytes()
    whole = read_events(path)
    assert whole.whole
    assert count_records(path) > 12
    path.write_bytes(data[:-3])
    cut = read_events(path)
    assert count_records(path) is None
    assert not cut.whole
    assert sum(map(len, cut.points.values())) == sum(map(len, whole.points.values())) - 1
    path.write_bytes(b"")
    assert read_events(path) == ({}, 0.0, True)


def test_a_file_with_a_flipped_bit_is_read_up_to_there(logged):
    path, _ = logged
    data = bytearray(path.read_bytes())
    data[-6] ^= 1
    path.write_bytes(data)
    file = read_events(path)
    assert not file.whole
    assert "train_loss" in file.points


@pytest.mark.parametrize("content", [b"no events at all, but some text", bytes(1000), b"\xff" * 100])
def test_what_holds_no_events_is_refused_by_name(tmp_path, content):
    path = tmp_path / "events.out.tfevents.1.host.1.0"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"events\.out\.tfevents.*(no TensorBoard events|cannot be read)"):
        read_events(path)
