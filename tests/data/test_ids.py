"""Track ids: what stands before the first dot, and numbers before words."""

import pytest

from musiclab.data.ids import id_order, track_id
from musiclab.errors import UserError


@pytest.mark.parametrize(
    "name",
    [
        "1043",
        " 1043 ",
        "1043.npy",
        "1043.fused.full.npy",
        "1043.fused.full.npy.gz",
        "1043.beatsync.fused.npy.gz",
        "1043.full.fused.npy.gz",
    ],
)
def test_id_is_what_stands_before_the_first_dot(name):
    assert track_id(name) == "1043"


@pytest.mark.parametrize("name", ["", " ", ".npy", "..", "../1043.npy", "a/b.npy", "/1043", "a\\b", "1043\0.npy"])
def test_names_that_are_empty_or_leave_the_folder_are_refused(name):
    with pytest.raises(UserError, match="no track name"):
        track_id(name)


def test_numbers_are_ordered_by_value_before_everything_else_by_name():
    ids = ["b", "10", "9", "a10", "007", "7", "100", "-1", "²", "1e3"]
    assert sorted(ids, key=id_order) == ["007", "7", "9", "10", "100", "-1", "1e3", "a10", "b", "²"]
