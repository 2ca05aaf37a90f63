"""Datamodules of data sets that say who made which track, that leave tracks out, and that test nothing."""

import logging
import shutil

import pytest
from conftest import SHARED, give_validation, make_genre_folder
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from musiclab.data.datamodules import EmotionDataModule, GenreDataModule
from musiclab.errors import UserError

KINDS = pytest.mark.parametrize("kind", [GenreDataModule, EmotionDataModule])
FMA = SHARED / "fma_small_mel" / "fma_genre_spectrograms"


@pytest.fixture
def genres(genre_root, tmp_path):
    """36 tracks to train on, from 100, whose genres take turns, and 9 to test on."""
    return shutil.copytree(genre_root, tmp_path / "genres")


@pytest.fixture
def emotions(emotion_root, tmp_path):
    """40 tracks to train on, from 100."""
    return shutil.copytree(emotion_root, tmp_path / "emotions")


@pytest.fixture
def roots(genres, emotions):
    return {GenreDataModule: genres, EmotionDataModule: emotions}


def write_artists(root, artists, name="artists.txt"):
    rows = [f"{identifier}\t{artist}\n" for identifier, artist in artists.items()]
    (root / name).write_text("Id\tArtist\n" + "".join(rows))


def by_four(root, last=145):
    """Have twelve artists, or more, of four tracks each."""
    write_artists(root, {number: f"artist {number // 4}" for number in range(100, last)})


def parts(module):
    train, validation = module.parts.train_and_validation()
    return [train.ids, validation.ids, *([module.parts.test().ids] if module.has_test else [])]


def ids_of(root, part):
    lines = (root / f"{part}_labels.txt").read_text().splitlines()[1:]
    return {line.replace(",", ".").replace("\t", ".").split(".")[0] for line in lines}


@pytest.mark.parametrize(
    ("kind", "options", "validation", "test"),
    [
        (GenreDataModule, {}, "100 115 125 126", "136 137 138 139 140 141 142 143 144"),
        (GenreDataModule, {"folds": 4, "fold": 1}, "101 106 107 110 117 126 127 129 133", None),
        (EmotionDataModule, {}, "102 113 114 130", "104 110 111 115 120 122 125 128"),
        (EmotionDataModule, {"folds": 4, "fold": 1}, "103 115 133", "102 108 116 127 130 134 135 136 137 139"),
        (EmotionDataModule, {"test_fraction": 0.0, "seed": 3}, "109 116 127 129", None),
    ],
)
def test_without_artists_parts_are_those_of_earlier_versions(kind, options, validation, test, roots):
    for groups in ("artists.txt", None):
        module = kind(root=roots[kind], groups=groups, **options)
        found = parts(module)
        assert found[1] == validation.split()
        assert test is None or found[2] == test.split()
        by_four(roots[kind])
    assert parts(kind(root=roots[kind], **options))[1] != validation.split()


@settings(deadline=None, max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    artists=st.dictionaries(st.integers(100, 135), st.integers(0, 9), min_size=12),
    options=st.sampled_from([{}, {"val_fraction": 0.3}, {"limit": 20}, {"folds": 2, "fold": 1}, {"seed": 5}]),
    kind=st.sampled_from([GenreDataModule, EmotionDataModule]),
    test_fraction=st.sampled_from([0, 0.25]),
)
def test_no_artist_is_on_two_sides(roots, artists, options, kind, test_fraction):
    write_artists(roots[kind], artists)
    options = options | {"folds": None} if test_fraction and kind is GenreDataModule else options  # its test is given
    module = kind(root=roots[kind], test_fraction=test_fraction, **options)
    found = parts(module)
    assert not set(found[0]) & set(found[1])
    sides = [{module.groups.get(one, one) for one in part} for part in found]
    assert sum(map(len, sides)) == len(set().union(*sides))
    if "limit" not in options and not test_fraction:
        assert set(found[0]) | set(found[1]) == ids_of(roots[kind], "train")


@KINDS
@pytest.mark.parametrize("test_fraction", [0, 0.2])
def test_folds_partition_the_tracks_by_artists(kind, test_fraction, roots):
    by_four(roots[kind])
    modules = [kind(root=roots[kind], folds=3, fold=fold, test_fraction=test_fraction) for fold in range(3)]
    held_out = [one for module in modules for one in parts(module)[-1]]
    assert sorted(held_out) == sorted(ids_of(roots[kind], "train"))
    for module in modules:
        assert len({module.groups[one] for part in parts(module) for one in part}) == sum(
            len({module.groups[one] for one in part}) for part in parts(module)
        )


def test_fit_says_how_many_artists_are_validated_on(genres, caplog):
    by_four(genres, 132)
    with caplog.at_level(logging.INFO):
        module = GenreDataModule(root=genres, val_fraction=0.25)
        module.setup("fit")
    train, validation = (module.loading.datasets[name].ids for name in ("train", "validation"))
    own = {module.groups[one] for one in validation if one in module.groups}
    alone = [one for one in validation if one not in module.groups]
    assert (
        f"Validation: {len(validation)} of 36 tracks by {len(own)} of 8 artists, and {len(alone)} of 4" in caplog.text
    )
    assert "without an artist (artists.txt); artists a genre: Blues " in caplog.text
    assert len(train) + len(validation) == 36


@pytest.mark.parametrize(("folds", "said"), [(4, "some of the 4 folds have none"), (None, "one side has none")])
def test_genres_of_too_few_artists_are_said(folds, said, genres, caplog):
    write_artists(genres, {number: "Can" if number % 3 == 2 else f"artist {number}" for number in range(100, 136)})
    with caplog.at_level(logging.INFO):
        parts(GenreDataModule(root=genres, folds=folds))
    assert f" of 1, Rock {'3' if folds else '1'} of 12; of Jazz, {said}\n" in caplog.text


def test_artists_of_given_parts_that_stand_in_training_are_counted(tmp_path, caplog):
    root = give_validation(make_genre_folder(tmp_path / "genres", train=36, test=6), 6)
    write_artists(root, {100: "Can", 130: "Can", 131: "Can", 140: "Can", 133: "Neu!", 141: "Neu!"})
    for groups, said in (("artists.txt", True), (None, False)):
        caplog.clear()
        with caplog.at_level(logging.INFO):
            GenreDataModule(root=root, groups=groups).setup("fit")
        for count, part, shared, first in ((6, "validation", 2, 130), (6, "test", 1, 140)):
            line = f"{root}: of {count} {part} tracks, {shared} are by artists of the training part ({first} first)"
            assert (f"{line}; figures on them flatter" in caplog.text) is said
        line = f"{root}: of 6 test tracks, 2 are by artists of the validation part (140 first)"
        assert (line in caplog.text) is said


@pytest.mark.parametrize(("options", "said"), [({}, True), ({"test_fraction": 0.2}, False)])
def test_that_all_folds_are_tested_on_the_same_tracks_is_said(options, said, genres, caplog):
    with caplog.at_level(logging.INFO):
        GenreDataModule(root=genres, folds=3, val_fraction=0.3, **options).setup("fit")
    assert (f"Test: the 9 tracks of {genres / 'test_labels.txt'}, the same for all folds" in caplog.text) is said


def test_another_file_may_say_what_belongs_together(genres):
    write_artists(genres, {number: number // 2 for number in range(100, 136)}, "albums.txt")
    module = GenreDataModule(root=genres, groups="albums.txt")
    assert module.groups["101"] == "50"
    assert module.hparams["groups"] == "albums.txt"
    assert GenreDataModule(root=genres).groups == {}
    with pytest.raises(UserError, match=r"discs\.txt: no such file; name one of the data set folder"):
        GenreDataModule(root=genres, groups="discs.txt")


@KINDS
@pytest.mark.parametrize(
    ("artists", "options", "message"),
    [
        (dict.fromkeys(range(100, 150), "Can"), {}, "are by one artist, so that none can be held out; correct .*"),
        (
            {number: number % 3 for number in range(100, 150)},
            {"folds": 5},
            r"by 3 artists cannot be split \(folds 5\): there are artists and tracks for 3 folds at most; give "
            "--data.folds 3, or correct .*",
        ),
        ({"000100": "Can"}, {}, r"names no track to train on, such as 100, but 000100 and others; .*"),
    ],
)
def test_artists_that_allow_no_draw_are_refused(kind, artists, options, message, roots):
    write_artists(roots[kind], artists)
    with pytest.raises(UserError, match=f"{message}ignore it: --data.groups null"):
        parts(kind(root=roots[kind], **options))
    parts(kind(root=roots[kind], groups=None, **options))


@pytest.mark.parametrize(
    ("row", "message"),
    [("100\tCan\n100.npy\tCan", "id 100 stands there 2 times"), ("100\t", "track 100 has no artist")],
)
def test_a_wrong_artist_file_is_named(row, message, genres):
    (genres / "artists.txt").write_text(f"Id\tArtist\n{row}\n")
    with pytest.raises(UserError, match=rf"artists\.txt: {message}"):
        GenreDataModule(root=genres)
    GenreDataModule(root=genres, groups=None)


class TestLeaveOut:
    """Tracks that are neither trained nor validated on."""

    @KINDS
    def test_tracks_named_and_all_by_artists_named_stay_out_of_training_and_validation(
        self, kind, roots, tmp_path, caplog
    ):
        root = roots[kind]
        by_four(root)
        (tmp_path / "out.csv").write_text("id,artist\n100,\n901,artist 26\n902,artist 900\n")
        named = {"100", "104", "105", "106", "107"}
        with caplog.at_level(logging.INFO):
            module = kind(root=root, leave_out=tmp_path / "out.csv", test_fraction=0)
            train, validation = parts(module)
        assert set(train) | set(validation) == ids_of(root, "train") - named
        count = len(ids_of(root, "train"))
        assert f"Left out of training and validation: 5 of {count} tracks, by {tmp_path / 'out.csv'}" in caplog.text
        assert module.hparams["leave_out"] == str(tmp_path / "out.csv")

    def test_the_test_part_stays_what_it_is(self, emotions, tmp_path):
        plain = parts(EmotionDataModule(root=emotions))
        (tmp_path / "out.txt").write_text("\n".join([plain[2][0], plain[0][0], plain[1][0]]))
        train, validation, test = parts(EmotionDataModule(root=emotions, leave_out=tmp_path / "out.txt"))
        assert test == plain[2]
        assert set(train) | set(validation) == {*plain[0][1:], *plain[1][1:]}

    def test_of_given_parts_too(self, genres, tmp_path):
        root = give_validation(genres, 6)
        (tmp_path / "out.txt").write_text("100\n135\n144\n")
        train, validation, test = parts(GenreDataModule(root=root, leave_out=tmp_path / "out.txt"))
        assert set(train) == ids_of(root, "train") - {"100"}
        assert set(validation) == ids_of(root, "validation") - {"135"}
        assert "144" in test

    def test_names_of_another_set_are_fine_and_said(self, genres, tmp_path, caplog):
        (tmp_path / "out.txt").write_text("Id\tArtist\n900\tCan\n")
        with caplog.at_level(logging.INFO):
            plain, others = (parts(GenreDataModule(root=genres, leave_out=out)) for out in (None, tmp_path / "out.txt"))
        assert plain == others
        assert "validation: 0 of 36 tracks, by" in caplog.text
        assert "by id alone, as artists are not known here" in caplog.text

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("\n".join(map(str, range(100, 136))), "leaves no track of .* to train or to validate on"),
            ("Artist\nCan\n", "names artists alone, but those of .* are not known; name ids"),
            ("a,b\n1,2\n", "the header is"),
        ],
    )
    def test_files_that_cannot_be_meant_are_refused(self, content, message, genres, tmp_path):
        (tmp_path / "out.txt").write_text(content)
        with pytest.raises(UserError, match=rf"out\.txt: {message}"):
            parts(GenreDataModule(root=genres, leave_out=tmp_path / "out.txt"))

    def test_a_test_does_not_need_the_file(self, genres, tmp_path):
        module = GenreDataModule(root=genres, leave_out=tmp_path / "none.txt")
        module.setup("test")
        with pytest.raises(UserError, match=r"none\.txt: cannot be read"):
            module.setup("fit")


class TestNothingToTest:
    """Genre data sets without test labels, and shares held out of them."""

    def test_fit_says_so(self, genres, caplog):
        (genres / "test_labels.txt").unlink()
        for _ in range(2):
            caplog.clear()
            with caplog.at_level(logging.INFO):
                module = GenreDataModule(root=genres)
                module.setup("fit")
            assert not module.has_test
            assert f"Test: none, as there is no {genres / 'test_labels.txt'}; --data.test_fraction 0.2" in caplog.text
            shutil.rmtree(genres / "test", ignore_errors=True)

    @pytest.mark.parametrize("folds", [None, 3])
    def test_a_share_is_tested_on(self, folds, genres):
        (genres / "test_labels.txt").unlink()
        train, validation, test = parts(GenreDataModule(root=genres, test_fraction=0.25, folds=folds, val_fraction=0.2))
        assert sorted([*train, *validation, *test]) == sorted(ids_of(genres, "train"))
        assert len(test) == (9 if folds is None else 12)

    def test_given_labels_are_tested_on_but_for_folds(self, genres):
        given_ids = ids_of(genres, "test")
        assert set(parts(GenreDataModule(root=genres, test_fraction=0.25))[2]) == given_ids
        assert set(parts(GenreDataModule(root=genres, folds=3))[2]) == given_ids
        assert not given_ids & set(parts(GenreDataModule(root=genres, folds=3, test_fraction=0.2))[2])
        assert not GenreDataModule(root=genres, test_fraction=0).has_test


@pytest.mark.skipif(not FMA.is_dir(), reason="shared/data is not beside the repository")
def test_parts_of_fma_small_share_no_artist():
    module = GenreDataModule(root=FMA, class_map=None)
    train, validation, test = ({module.groups[one] for one in part} for part in parts(module))
    assert not train & validation
    assert not train & test
    assert len(train | validation) == 1884
