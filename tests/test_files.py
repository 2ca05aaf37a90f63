"""Files written whole or not at all."""

import errno
import gc
import os
from pathlib import Path

import pytest

from musiclab import files
from musiclab.files import copy_files, importing, is_writable, replacing, write_csv, write_text


def test_a_file_appears_when_it_is_complete_in_a_folder_made_for_it(tmp_path):
    path = tmp_path / "new" / "a.txt"
    with replacing(path) as partial:
        partial.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new"
    assert list(path.parent.iterdir()) == [path]


def test_the_temporary_name_stands_beside_it_and_keeps_the_suffix(tmp_path):
    with replacing(tmp_path / "a.png") as partial:
        assert partial.suffix == ".png"
        assert partial.parent == tmp_path
        partial.touch()


@pytest.mark.parametrize("old", [None, "old"])
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, old):
    path = tmp_path / "a.txt"
    if old:
        path.write_text(old)

    def write():
        with replacing(path) as partial:
            partial.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()
    assert [p.read_text() for p in tmp_path.iterdir()] == ([old] if old else [])


def test_an_error_names_the_file_that_was_asked_for(tmp_path):
    """Before, `submit` in a folder that cannot be written named `.solution.partial-123.txt`."""
    path = tmp_path / "a.txt"

    def write():
        with replacing(path) as partial:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(partial))

    with pytest.raises(OSError, match="Read-only") as info:
        write()
    assert info.value.filename == str(path)


@pytest.mark.parametrize("write", [write_text, lambda path, text: write_csv(path, ["name"], [[text]])])
def test_names_that_are_not_utf8_are_escaped(tmp_path, write):
    write(tmp_path / "a", os.fsdecode(b"\xff"))
    assert "\\udcff" in (tmp_path / "a").read_text(encoding="utf-8")


def test_text_is_written_as_it_is(tmp_path):
    path = tmp_path / "a.txt"
    write_text(path, "old and long")
    write_text(path, "é\n")
    assert path.read_bytes() == b"\xc3\xa9\n"


def test_a_table_is_quoted_where_it_has_to_be(tmp_path):
    path = tmp_path / "a.csv"
    write_csv(path, ["id", "n"], ([name, n] for n, name in enumerate(["é", "a, b", 'say "no"', "a\nb"])))
    assert path.read_bytes() == 'id,n\né,0\n"a, b",1\n"say ""no""",2\n"a\nb",3\n'.encode()


def test_rows_that_fail_leave_the_old_table(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError):
        write_csv(path, ["n"], ([1 / n] for n in (1, 0)))
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(("number", "writable"), [(None, True), (errno.EROFS, False), (errno.EACCES, False)])
def test_a_folder_is_writable_if_a_file_can_be_made_there(tmp_path, monkeypatch, number, writable):
    if number:
        monkeypatch.setattr(Path, "touch", failing_with(number))
    assert is_writable(tmp_path) is writable
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_no_folder_that_must_not_be_written(tmp_path, monkeypatch):
    monkeypatch.setattr(Path, "touch", failing_with(errno.ENOSPC))
    with pytest.raises(OSError, match="No space left"):
        is_writable(tmp_path)


def failing_with(number):
    def fail(*args, **more):
        raise OSError(number, os.strerror(number))

    return fail


def test_what_is_copied_can_be_written(tmp_path):
    source = tmp_path / "source" / "deep"
    source.mkdir(parents=True)
    (source / "a.txt").write_text("text")
    (source / "a.txt").chmod(0o444)
    source.chmod(0o555)
    copy_files(source.parent, tmp_path / "copy")
    copy = tmp_path / "copy" / "deep" / "a.txt"
    assert copy.read_text() == "text"
    assert copy.stat().st_mode & copy.parent.stat().st_mode & 0o200
    source.chmod(0o755)


def test_the_first_import_of_librosa_says_that_it_compiles(tmp_path, monkeypatch, capsys):
    """Before, half a minute passed without a word."""
    monkeypatch.setattr(files.importlib, "import_module", lambda name: None)
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    files.import_librosa.__wrapped__()
    assert capsys.readouterr().err == "Compiling librosa, which is done once: \n"
    (tmp_path / "beat").mkdir()
    (tmp_path / "beat" / "compiled.nbi").touch()
    files.import_librosa.__wrapped__()
    assert capsys.readouterr().err == ""


def test_imports_are_left_alone_by_the_garbage_collector():
    before = gc.get_freeze_count()
    with importing():
        assert not gc.isenabled()
        with importing():
            made = [[number] for number in range(1000)]
        assert not gc.isenabled()
    assert gc.isenabled()
    assert gc.get_freeze_count() >= before + len(made)
    gc.disable()
    try:
        with importing():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
