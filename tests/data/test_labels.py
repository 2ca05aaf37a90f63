"""Label files: every quirk of the lab's, merging of genres, and one-line errors that name the file."""

import os

import pytest

from musiclab.data.labels import (
    LAB_CLASS_MAP,
    GenreLabels,
    describe_merge,
    lab_map,
    merge_genres,
    parse_genres,
    read_emotion_labels,
    read_genre_labels,
    read_table,
    similar_genres,
)
from musiclab.errors import UserError

GENRES = GenreLabels(["1", "2", "3", "4", "5", "6"], ["Rock", "Psych-Rock", "Jazz", "Soundtrack", "Rebetiko", "Rock"])


@pytest.fixture
def write(tmp_path):
    def write(content):
        path = tmp_path / "train_labels.txt"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def test_genre_names_of_all_forms_are_read_in_the_order_of_the_file(write):
    path = write(
        "Id\tGenre\n7.fused.full.npy.gz\tRock\n1043.beatsync.fused.npy.gz\tJazz\n12.full.fused.npy.gz\tFolk\n3\tPop\n"
    )
    assert read_genre_labels(path) == (["7", "1043", "12", "3"], ["Rock", "Jazz", "Folk", "Pop"])


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfId\tGenre\n1.npy\tRock\n2.npy\tHip-Hop\n",
        b"Id\tGenre\r\n1.npy\tRock\r\n2.npy\tHip-Hop\r\n",
        b"Id\tGenre\r1.npy\tRock\r2.npy\tHip-Hop\r",
        b"Id\tGenre\n\n1.npy\tRock\n \t \n2.npy\tHip-Hop\n\n\n",
        b"Id\tGenre\n1.npy\tRock\n2.npy\tHip-Hop",
        b" Id \t Genre\n 1.npy \t Rock \n2.npy\tHip-Hop\n",
        b"Id\tYear\tGenre\n1.npy\t1999\tRock\n2.npy\t2001\tHip-Hop\n",
        b'Id,Genre\n1.npy,"Rock"\n"2.npy", "Hip-Hop"\n',
        b'"Id"\t"Genre"\r\n"1.npy"\t"Rock"\r\n2.npy\t"Hip-Hop"\r\n',
        b"id\tGENRE\n1.npy\tRock\n2.npy\tHip-Hop\n",
        b"Id;Genre;;\r\n1.npy;Rock;;\r\n2.npy;Hip-Hop;;\r\n;;;\r\n",
        "Id;Genre\r\n1;Rock\r\n2;Hip-Hop\r\n".encode("utf-16"),
        b'Id,Notes,Genre\n1.npy,"fast, loud",Rock\n2.npy,"said ""one""\nand two",Hip-Hop\n,,\n',
    ],
    ids=[
        "BOM",
        "CRLF",
        "CR",
        "blank lines",
        "no newline at the end",
        "spaces",
        "more columns",
        "quotes, commas",
        "quotes, tabs",
        "header in other letters",
        "Excel with semicolons",
        "Excel in UTF-16",
        "quoted separators",
    ],
)
def test_quirks_of_genre_files_do_not_matter(write, content):
    assert read_genre_labels(write(content)) == (["1", "2"], ["Rock", "Hip-Hop"])


def test_genre_with_exotic_line_separators_stays_one_field(write):
    assert read_genre_labels(write("Id\tGenre\n1\tAvant\u2028Garde\n")).genres == ["Avant\u2028Garde"]


@pytest.mark.parametrize(
    "content",
    ["\ufeffId,valence,energy\r\n\r\n5,0.5,.25\r\n6.npy,1,0\r\n", "Id,valence,energy\n5,5e-1,0.25\n6,1,0"],
)
def test_emotion_files_are_read_with_all_their_columns(write, content):
    assert read_emotion_labels(write(content)) == (
        ["5", "6"],
        ["valence", "energy"],
        [[0.5, 0.25], [1.0, 0.0]],
    )


@pytest.mark.parametrize(
    ("axes", "values"),
    [
        (["valence", "energy", "danceability"], [0.1, 0.2, 0.3]),
        (["danceability", "valence"], [0.3, 0.1]),
        (["energy"], [0.2]),
    ],
)
@pytest.mark.parametrize(
    "content",
    ["Id,valence,energy,danceability\n5,0.1,0.2,0.3\n", "Id,danceability,energy,valence\n5,0.3,0.2,0.1\n"],
)
def test_emotion_columns_are_found_by_name(write, content, axes, values):
    assert read_emotion_labels(write(content), axes) == (["5"], axes, [values])


def test_merging_renames_drops_and_keeps_unknown_genres():
    assert merge_genres(GENRES, LAB_CLASS_MAP) == (
        ["1", "2", "3", "5", "6"],
        ["Rock", "Rock", "Jazz", "Rebetiko", "Rock"],
    )


def test_no_map_changes_nothing():
    assert merge_genres(GENRES, None) == GENRES


def test_map_of_the_lab_makes_ten_genres_of_twenty():
    assert len(LAB_CLASS_MAP) == 20
    assert len(set(LAB_CLASS_MAP.values()) - {None}) == 10


@pytest.mark.parametrize(
    "content",
    [
        b"Id;valence;energy\r\n1;0,5;-1\r\n2;,25;1,125\r\n",
        b"\xef\xbb\xbfID;valence;energy;\r\n1;0,5;-1;\r\n2;0.25;1,125;\r\n",
        b"Id\tvalence\tenergy\n1\t0,5\t-1\n2\t0,25\t1.125\n",
        "Id\tvalence\tenergy\r\n1\t0,5\t-1\r\n2\t0,25\t1.125\r\n".encode("utf-16"),
        b'Id,valence,energy\n1,"0,5",-1\n2,"0,25",1.125\n',
    ],
    ids=["semicolons", "a mark, and an empty column", "tabs", "UTF-16", "quoted"],
)
def test_numbers_as_excel_saves_them_where_the_comma_is_the_decimal_one(write, content):
    assert read_emotion_labels(write(content)) == (["1", "2"], ["valence", "energy"], [[0.5, -1], [0.25, 1.125]])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"Id,valence\n1,0,5\n", "line 2 has 3 fields where the header has 2; if these are decimal commas, separate"),
        (b"Id\tvalence\n1\t1,250\n", "valence is '1,250', not a finite number"),
        (b'Id,valence\n1,"1,250"\n', "valence is '1,250', not a finite number"),
        (b"Id;valence\n1;1,234\n2;2.5\n", "valence has 1,234 and 2.5; write all of its numbers with a decimal point"),
        (b"Id;valence\n1;1.234\n2;4,0\n", "valence has 4,0 and 1.234; write all"),
    ],
    ids=["no other separator", "perhaps thousands", "quoted", "both marks", "the other way round"],
)
def test_commas_that_may_mean_something_else_are_named(write, content, said):
    with pytest.raises(UserError) as raised:
        read_emotion_labels(write(content))
    assert said in str(raised.value)


def test_the_labs_map_is_for_sets_of_the_labs_genres_alone():
    lab = GenreLabels(["1", "2"], ["Rock", "Punk"])
    assert lab_map([lab, GenreLabels(["3"], ["Jazz"])]) is LAB_CLASS_MAP
    assert lab_map([lab, GenreLabels(["3"], ["Opera"])]) is None
    assert lab_map([]) is None


@pytest.mark.parametrize(
    ("class_map", "text"),
    [
        (LAB_CLASS_MAP, "Psych-Rock (1) + Rock (2) -> Rock; dropped Soundtrack (1)"),
        ({"Jazz": "Swing"}, "Jazz (1) -> Swing"),
        ({"Jazz": None, "Rock": None}, "dropped Jazz (1), Rock (2)"),
        ({"Jazz": "Jazz", "Opera": "Classical"}, None),
        (None, None),
    ],
)
def test_merge_is_described_with_counts(class_map, text):
    assert describe_merge(GENRES, class_map) == text


ANY_FILE = {
    "empty file": (b"", "is empty"),
    "blank file": (b" \n\n", "is empty"),
    "wrong header": (b"Track\tStyle\n1\tRock\n", "header is 'Track | Style'"),
    "no header": (b"1.npy\tRock\n2.npy\tJazz\n", "header is '1.npy | Rock'"),
    "not UTF-8": (b"Id\tGenre\n1\tR\xe9ggae\n", r"not UTF-8 text \(byte 12\)"),
    "open quote": (b'Id,Genre\n1,"Ro\nck"\n2,"Jazz\n3,Pop\n', "line 4 cannot be read as csv"),
    "text after a quote": (b'Id,Genre\n1,"Weird Al" Yankovic\n', "line 2 cannot be read as csv"),
    "doubled column": (b"Id,Genre,valence,Genre,valence\n1,Rock,0,Jazz,0\n", "column Genre stands twice"),
    "UTF-16 without its mark": ("Id\tGenre\n1\tRock\n".encode("utf-16-le"), "control characters"),
    "half of UTF-16": ("Id\tGenre\n1\tRock\n".encode("utf-16")[:-1], "not UTF-8"),
    "a workbook": (b"PK\x03\x04 and more", r"a workbook \(of Excel, .xlsx\) or another zip file, no text; save"),
    "an old workbook": (b"\xd0\xcf\x11\xe0\xa1\xb1", r"a workbook \(.xls\), no text"),
}
GENRE_FILE = {
    "header only": (b"Id\tGenre\n\n", "no tracks"),
    "too few fields": (b"Id\tGenre\n1\tRock\n2\n", "line 3 has 1 fields where the header has 2"),
    "too many fields": (b"Id\tGenre\n\n1\tRock\tJazz\n", "line 3 has 3 fields"),
    "duplicate ids": (b"Id\tGenre\n1.fused.npy\tRock\n1.full.npy\tRock\n", "id 1 stands there 2 times"),
    "id outside": (b"Id\tGenre\n../../etc/passwd\tRock\n", "line 2: .*inside the data set's folder"),
    "empty id": (b"Id\tGenre\n.npy\tRock\n", "line 2: '.npy' is no track name"),
    "empty genre": (b"Id\tGenre\n1\t\n", "track 1 has no genre"),
    "emotion file": (b"Id,valence\n1,0.5\n", r"expected 'Id<TAB>Genre'"),
}
EMOTION_FILE = {
    "header only": (b"Id,valence\n", "no tracks"),
    "no axes": (b"Id\n1\n", "header is 'Id'"),
    "wrong field count": (b"Id,valence,energy\n1,0.5\n", "line 2 has 2 fields where the header has 3"),
    "duplicate ids": (b"Id,valence\n1,0.5\n1.npy,0.6\n", "id 1 stands there 2 times"),
    "id outside": (b"Id,valence\n../1,0.5\n", "line 2"),
    "missing axis": (b"Id,energy,arousal\n1,0.5,0.5\n", "no column valence; it has energy, arousal"),
    "no number": (b"Id,valence\n1,high\n", "track 1: valence is 'high', not a finite number"),
    "empty value": (b"Id,valence\n1,\n", "valence is ''"),
    "decimal comma": (b"Id,valence\n1,0,5\n", "line 2 has 3 fields"),
    "NaN": (b"Id,valence\n1,nan\n", "valence is 'nan'"),
    "underscore": (b"Id,valence\n1,0_1\n", "valence is '0_1'"),
    "infinity": (b"Id,valence\n1,-inf\n", "valence is '-inf'"),
}


def read_valence(path):
    return read_emotion_labels(path, ["valence"])


def assert_refused(read, path, text):
    with pytest.raises(UserError, match=text) as raised:
        read(path)
    assert str(raised.value).startswith(f"{path}: ")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("read", "content", "text"),
    [
        pytest.param(read, *case, id=f"{read.__name__}-{kind}")
        for read, cases in (
            (read_genre_labels, ANY_FILE | GENRE_FILE),
            (read_valence, ANY_FILE | EMOTION_FILE),
        )
        for kind, case in cases.items()
    ],
)
def test_bad_files_are_refused_by_name_in_one_line(write, read, content, text):
    assert_refused(read, write(content), text)


def test_line_numbers_count_lines_within_quotes(write):
    path = write('Id,Notes,Genre\n1,"a\nb",Rock\n\n2,Jazz\n')
    assert_refused(read_genre_labels, path, "line 5 has 2 fields")


def test_letters_are_the_same_however_they_are_written(write):
    labels = read_genre_labels(write("Id\tGenre\ne\u0301tude.npy\tRe\u0301ggae\n"))
    assert labels == (["\xe9tude"], ["R\xe9ggae"])


def test_genres_that_look_alike():
    counts = {"Blues": 7, "blues": 3, "Hip Hop": 1, "Hip-Hop": 2, "Jazz": 5, "hip hop": 1}
    first, second = similar_genres(counts)
    assert first.startswith("genres 'Blues' (7) and 'blues' (3) differ only in case or spaces")
    assert second.startswith("genres 'Hip Hop' (1) and 'Hip-Hop' (2) and 'hip hop' (1) differ")
    assert similar_genres(dict.fromkeys(LAB_CLASS_MAP, 1)) == []


@pytest.mark.parametrize("read", [read_genre_labels, read_valence])
def test_a_pipe_is_refused_at_once(tmp_path, read):
    os.mkfifo(tmp_path / "labels.txt")
    assert_refused(read, tmp_path / "labels.txt", "a pipe, socket or device")


@pytest.mark.parametrize("read", [read_genre_labels, read_valence])
def test_paths_that_are_no_files_are_refused(tmp_path, read):
    assert_refused(read, tmp_path / "nowhere" / "train_labels.txt", "no such label file")
    assert_refused(read, tmp_path, "cannot be read")


def test_error_says_how_many_more_there_are(write):
    path = write("Id\tGenre\n1\n2\n../3\tRock\n4\tRock\n")
    with pytest.raises(UserError, match=r"line 2 .* \(and 2 more: `musiclab check` lists them all\)"):
        read_genre_labels(path)


def test_sound_rows_of_a_bad_file_are_kept_beside_its_problems(write):
    path = write("Id\tGenre\n1\tRock\n2\n3\tJazz\n")
    labels, problems = parse_genres(read_table(path), path)
    assert labels == (["1", "3"], ["Rock", "Jazz"])
    assert len(problems) == 1


def test_a_folder_of_data_sets_is_pointed_at_one(tmp_path):
    (tmp_path / "genres").mkdir()
    (tmp_path / "genres" / "train_labels.txt").touch()
    with pytest.raises(UserError, match=rf"no such label file; did you mean {tmp_path / 'genres'}\?"):
        read_genre_labels(tmp_path / "train_labels.txt")


def test_labels_of_the_other_kind_are_told_of_a_config(write):
    with pytest.raises(UserError, match=r"expected 'Id,valence,energy,...'; genres are .* -c genre_cnn.yaml"):
        read_emotion_labels(write("Id\tGenre\n1\tRock\n"))
    with pytest.raises(UserError, match=r"expected 'Id<TAB>Genre'; values on axes are .* -c emotion_cnn.yaml"):
        read_genre_labels(write("Id,valence\n1,0.5\n"))
