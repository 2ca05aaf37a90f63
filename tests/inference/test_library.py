"""Files of embeddings hold what was written to them, and are refused where they do not."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from musiclab.errors import UserError
from musiclab.inference.library import FORMATS, Library, read_library, write_library, written

SUFFIXES = list(FORMATS)


def make_library(rows=5, size=7):
    rng = np.random.default_rng(0)
    columns = {
        "id": np.array([f"{number:05}" for number in range(rows)]),
        "path": np.array([f"/songs/ä, {number}.mp3" for number in range(rows)]),
        "start": np.array([0.5 * number for number in range(rows)]),
        "genre": np.array(["", "Rock", "Hip-Hop", '"Jazz"', "1990"][:rows]),
        "energy": np.array([np.nan, 0.25, 0.5, 1.0, 0.125][:rows]),
    }
    return Library("0123456789abcdef", columns, rng.normal(size=(rows, size)).astype(np.float32))


@pytest.fixture(params=SUFFIXES)
def path(request, tmp_path):
    if request.param == ".parquet":
        pytest.importorskip("pyarrow", reason="there is no pyarrow")
    return tmp_path / f"library{request.param}"


def test_what_is_read_is_what_was_written(path):
    library = make_library()
    write_library(path, library)
    found = read_library(path)
    assert found.model == library.model
    np.testing.assert_array_equal(found.values, library.values)  # nine digits are float32
    assert found.values.dtype == np.float32
    assert list(found.columns) == list(library.columns)
    for name, column in library.columns.items():
        np.testing.assert_array_equal(found.columns[name], column)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_others_can_read_it(path):
    library = make_library()
    write_library(path, library)
    pandas = pytest.importorskip("pandas")
    if path.suffix == ".npz":
        values = np.load(path)["embedding"]
    elif path.suffix == ".csv":
        table = pandas.read_csv(path, dtype={"id": str})
        values = table[[f"e{number}" for number in range(7)]].to_numpy(np.float32)
        assert table["id"].tolist() == library.columns["id"].tolist()
        assert set(table["model"]) == {library.model}
    else:
        values = np.stack(pandas.read_parquet(path)["embedding"])
    np.testing.assert_allclose(values, library.values, rtol=1e-6)


def test_cosines_are_those_by_hand():
    library = Library("m", {}, np.array([[1, 0], [2, 2], [0, 3], [0, 0], [-1, 0]], np.float32))
    order, cosines = library.nearest(np.array([5, 0], np.float32))
    assert order.tolist() == [0, 1, 2, 3, 4]
    assert cosines.tolist() == pytest.approx([1, np.sqrt(0.5), 0, 0, -1])


def test_damaged_files(path):
    write_library(path, make_library())
    content = path.read_bytes()
    for wrong in (b"", b"words, words\n", content[: len(content) // 2], content[20:]):
        path.write_bytes(wrong)
        with pytest.raises(UserError, match="no embeddings, or damaged; give a file"):
            read_library(path)


def test_tables_of_something_else(tmp_path):
    (tmp_path / "a.csv").write_text("id,path,model,e0\n1,a,m,0.5\n2,b,n,0.5\n")  # of two models
    (tmp_path / "b.csv").write_text("id,path,model,e0\n1,a,m,nan\n")
    (tmp_path / "c.csv").write_text("id,path,model,e0\n")
    np.savez(tmp_path / "d.npz", embedding=np.zeros((2, 3)), model="m", id=["1", "2"])
    np.savez(tmp_path / "e.npz", embedding=np.zeros((2, 3)), model="m", id=["1"], path=["a"])
    for path in tmp_path.iterdir():
        with pytest.raises(UserError, match="no embeddings, or damaged"):
            read_library(path)


def test_parquet_without_pyarrow(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(
        UserError, match=r"library\.parquet: parquet needs pyarrow; .*pip install 'musiclab\[parquet\]'"
    ):
        write_library(tmp_path / "library.parquet", make_library())


def test_archives_of_something_else(tmp_path):
    path = tmp_path / "library.npz"

    def refused():
        with pytest.raises(UserError, match="no embeddings, or damaged"):
            read_library(path)

    with path.open("wb") as stream:
        np.save(stream, np.zeros((2, 3)))
    refused()
    whole = make_library()
    np.savez(path, **whole.columns, model=whole.model, embedding=np.float32(1))
    refused()
    write_library(tmp_path / "library.csv", whole)
    text = (tmp_path / "library.csv").read_text()
    path = tmp_path / "library.csv"
    path.write_text(text[:-3])
    refused()


def test_embeddings_of_another_size_are_refused():
    with pytest.raises(UserError, match="7 values each, but the model's 6"):
        make_library().nearest(np.ones(6, np.float32))


def test_a_path_is_written_alike_however_it_is_given(tmp_path, monkeypatch):
    (tmp_path / "songs").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "songs")
    monkeypatch.chdir(tmp_path / "songs")
    ways = [Path("a.wav"), Path("../songs/a.wav"), tmp_path / "link" / "a.wav"]
    assert {written(way) for way in ways} == {os.path.realpath(tmp_path / "songs" / "a.wav")}
    assert written(Path(os.fsdecode(b"/\xff.wav"))) == "/\\udcff.wav"
