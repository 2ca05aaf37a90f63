"""``features.json``: how arrays were made."""

import json

import pytest

from musiclab.data.audio.asked_recipe import own_recipe
from musiclab.data.recipe import find_recipe, read_recipe, write_recipe
from musiclab.errors import UserError
from musiclab.spectrogram import FRAME_SECONDS, LAB, Recipe, num_bands, row_kinds

OWN = own_recipe(64, 1024, 16000, 2048)


def refused(folder, values):
    text = values if isinstance(values, str) else json.dumps(values)
    (folder / "features.json").write_text(text)
    with pytest.raises(UserError, match=r"features\.json: ") as raised:
        read_recipe(folder)
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_the_labs():
    assert LAB.seconds == FRAME_SECONDS
    assert LAB.is_complete
    assert LAB.rows == 140
    assert own_recipe(None, None, None, None) is LAB


def test_own_mel_bands():
    assert OWN.seconds == 0.064
    assert OWN.is_complete
    assert OWN.rows == 64
    assert own_recipe(None, 256, None, None) == Recipe(None, 22050, 2048, 256, 128, 0, "dB")


def test_a_file_is_read_as_it_was_written(tmp_path):
    assert read_recipe(tmp_path) is None
    for recipe in (LAB, OWN, Recipe(0.5, scale="embedding", about="another model's")):
        write_recipe(tmp_path, recipe)
        assert read_recipe(tmp_path) == recipe
        assert Recipe.of(recipe.plain()) == recipe


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"sample_rate": 16000}, "'sample_rate' is no key of it; did you mean rate"),
        ({"colour": "blue"}, "there are seconds, rate"),
        ({"rate": "16 kHz"}, "rate is '16 kHz'; it must be a whole number from 1"),
        ({"rate": True}, "rate is True"),
        ({"mels": 0}, "mels is 0"),
        ({"chroma": None}, "chroma is None"),
        ({"scale": 80}, "scale is 80; it must be text"),
        ({"seconds": 0}, "seconds is 0; it must be the duration"),
        ({"seconds": float("nan")}, "seconds is nan"),
        ({"seconds": 0.1, "rate": 16000, "hop": 1024}, r"seconds is 0.1, but a hop of 1024 samples at 16000 Hz"),
        ([16000], "not a table"),
        ("{rate: 16000}", "not json"),
        ("", "not json"),
    ],
)
def test_what_is_no_recipe_is_refused_in_a_line(tmp_path, values, said):
    assert said in refused(tmp_path, values)


def test_a_set_may_say_it_beside_its_arrays(tmp_path):
    for part in ("train", "test"):
        (tmp_path / part).mkdir()
        write_recipe(tmp_path / part, OWN)
    assert find_recipe(tmp_path) == (tmp_path / "train" / "features.json", OWN)
    write_recipe(tmp_path / "test", own_recipe(64, 512, 16000, 2048))
    with pytest.raises(UserError, match=r"made differently \(seconds 0\.064 and 0\.032, hop 1024 and 512\)"):
        find_recipe(tmp_path)


def test_only_what_both_say_can_differ():
    assert OWN.differences(Recipe()) == []
    assert Recipe(0.064, about="mine").differences(OWN) == []
    assert LAB.differences(OWN) == [
        "seconds 0.02322 and 0.064",
        "rate 22050 and 16000",
        "hop 512 and 1024",
        "mels 128 and 64",
        "chroma 12 and 0",
    ]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((None, None, 16, None), "rate is 16; it must be 4000"),
        ((None, 4096, None, 2048), "window is 2048 and hop 4096"),
        ((0, None, None, None), "mels is 0"),
        ((128, 256, None, 256), r"\d+ of 128 mel bands would be empty at 22050 Hz with windows of 256 samples"),
    ],
)
def test_options_that_make_no_features(options, said):
    with pytest.raises(UserError, match=said):
        own_recipe(*options)


def test_what_rows_are():
    assert row_kinds(140, None) == {"mel": slice(0, 128), "chroma": slice(128, 140)}
    assert row_kinds(128, Recipe(0.234)) == {"mel": slice(0, 128)}
    assert row_kinds(64, OWN) == {"mel": slice(0, 64)}
    assert row_kinds(40, None) == {"values": slice(0, 40)}
    assert row_kinds(128, Recipe(scale="embedding")) == {"values": slice(0, 128)}
    assert num_bands("fused") == 128
    assert num_bands("all", OWN.plain()) == 64
    assert num_bands("all", None) is None
