"""Solution files of competitions, made of the predictions of emotion models, as `submit` made them before."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command_line import error_of

from commands.combine.making import refused
from musiclab.cli import main
from musiclab.errors import UserError
from musiclab.runs.solution import HEADER, solution_axes, write_solution

SOLUTION = "--solution=solution.txt"

TRACKS = {"100": 0.25, "9": 0.5, "10": 0.125}


def write_predictions(path: Path, *axes: str, tracks: dict[str, float] = TRACKS, truth: str = "") -> str:
    """A predictions file whose n-th axis has n more than the values of the tracks."""
    lines = [",".join(["id", *(f"truth_{axis},prediction_{axis}" for axis in axes)])]
    for identifier, value in tracks.items():
        lines.append(",".join([identifier, *(f"{truth},{value + n:.6f}" for n in range(len(axes)))]))
    path.write_text("\n".join(lines) + "\n")
    return str(path)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The working folder, with a predictions file of all axes and one of each axis."""
    monkeypatch.chdir(tmp_path)
    write_predictions(tmp_path / "all.csv", "valence", "energy", "danceability")
    for shift, axis in enumerate(("valence", "energy", "danceability")):
        # Files need not have the tracks in the same order.
        tracks = {identifier: TRACKS[identifier] + shift for identifier in sorted(TRACKS)}
        write_predictions(tmp_path / f"{axis}.csv", axis, tracks=tracks)
    return tmp_path


ALL = (
    b"Id.fused.full.npy.gz,valence,energy,danceability\n"
    b"9.fused.full.npy.gz,0.500000,1.500000,2.500000\n"
    b"10.fused.full.npy.gz,0.125000,1.125000,2.125000\n"
    b"100.fused.full.npy.gz,0.250000,1.250000,2.250000\n"
)


@pytest.mark.parametrize("files", [["all.csv"], ["danceability.csv", "valence.csv", "energy.csv"]])
@pytest.mark.parametrize("options_first", [True, False])
def test_a_solution_of_one_file_or_of_one_for_each_axis(files, options_first, folder, capsys):
    options = ["--solution", "kaggle/solution.txt"]
    main(["combine", *options, *files] if options_first else ["combine", *files, *options])
    assert (folder / "kaggle" / "solution.txt").read_bytes() == ALL
    printed = capsys.readouterr()
    assert "3 tracks: kaggle/solution.txt" in printed.out
    assert printed.out.count(": 1 model") == 3
    assert printed.err == ""
    assert [path.name for path in (folder / "kaggle").iterdir()] == ["solution.txt"]


def test_files_of_one_axis_are_averaged(folder, capsys):
    write_predictions(folder / "second.csv", "valence", tracks={"9": 1.0, "10": 0.0, "100": 0.0})
    write_predictions(folder / "third.csv", "valence", tracks={"9": 0.0, "10": 0.0, "100": 0.0})
    main(["combine", "all.csv", "second.csv", "third.csv", SOLUTION])
    rows = [line.split(",") for line in (folder / "solution.txt").read_text().splitlines()[1:]]
    assert [row[1] for row in rows] == ["0.500000", "0.041667", "0.083333"]
    assert [row[2:] for row in rows] == [line.decode().split(",")[2:] for line in ALL.splitlines()[1:]]
    printed = capsys.readouterr().out
    assert "valence: mean of 3 models" in printed
    assert "energy: 1 model\n" in printed


def test_another_header_and_suffix(folder, capsys):
    main(["combine", "all.csv", "--header", "Id,energy,valence", "--suffix", "", SOLUTION])
    expected = "Id,energy,valence\n9,1.500000,0.500000\n10,1.125000,0.125000\n100,1.250000,0.250000\n"
    assert (folder / "solution.txt").read_text() == expected
    assert "left out, not being in the header: danceability" in capsys.readouterr().out


def test_names_of_tracks_are_ids_and_may_be_words(folder):
    write_predictions(folder / "words.csv", "x", tracks={"song, live": 0.0, "7.fused.full.npy.gz": 1.0})
    text = (folder / "words.csv").read_text()
    (folder / "words.csv").write_text(text.replace("song, live", '"song, live"'))
    main(["combine", "words.csv", "--header=Id,x", "--suffix=.npy", SOLUTION])
    assert (folder / "solution.txt").read_text() == 'Id,x\n7.npy,1.000000\n"song, live.npy",0.000000\n'


def test_known_truths_are_warned_of(folder, capsys):
    write_predictions(folder / "all.csv", "valence", "energy", "danceability", truth="0.5")
    main(["combine", "all.csv", SOLUTION])
    assert (folder / "solution.txt").read_bytes() == ALL
    assert "warning: the truth is known for 3 of 3 tracks" in capsys.readouterr().err


GENRE = "id,truth,prediction,Blues,Jazz\n9,Blues,Jazz,0.4,0.6\n"
VALENCE = "id,truth_valence,prediction_valence\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "no such file"),
        ("", "empty"),
        (b"\x93NUMPY\x01\x00\xff\xfe", "not a csv file"),
        (VALENCE, "no tracks"),
        (GENRE, "of genres, but all.csv of valence, energy, danceability"),
        (VALENCE.replace("id", "Id"), "'Id,truth_valence,prediction_valence'"),
        ("id,prediction_valence,prediction_valence\n9,1,1\n", "prediction_valence stands twice"),
        (f"{VALENCE}9,,1\n9,,1\n", "line 3: track 9 stands there twice"),
        (f"{VALENCE}9,,1\n10,1\n", "line 3 has 2 fields where the header has 3"),
        (f"{VALENCE},,1\n", "line 2: '' is no track name"),
        (f"{VALENCE}9,,nan\n", "track 9: prediction_valence is nan, not a finite number"),
        (f"{VALENCE}9,,-inf\n", "track 9: prediction_valence is -inf, not a finite number"),
        (f"{VALENCE}9,,high\n", "line 2: track 9: prediction_valence is 'high'"),
        (f"{VALENCE}9,,\n", "track 9: prediction_valence is nan, not a finite number"),
        (f"{VALENCE}9,,1\n", "lacks track 10, 100, which all.csv has"),
    ],
)
def test_bad_predictions_are_one_line_that_names_the_file(content, said, folder, capfd):
    if content is not None:
        (folder / "bad.csv").write_bytes(content if isinstance(content, bytes) else content.encode())
    error = refused_solution(folder, capfd, ["all.csv", "bad.csv"])
    assert "error: bad.csv: " in error
    assert said in error


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["valence.csv", "energy.csv"], "names danceability, but the predictions are of valence, energy;"),
        (["all.csv", "more.csv"], "all.csv: lacks track 11, 12, 13 and 2 more, which more.csv has"),
        (["all.csv", "./all.csv"], "all.csv: given twice"),
        (["all.csv", "link.csv"], "all.csv: given twice"),
        (["run"], "run: no predictions.csv"),
        (["all.csv", "--solution=./all.csv"], "all.csv: this is one of the predictions files"),
        (["all.csv", "--solution=run"], "run: this is a folder"),
        (["all.csv", "--solution="], "this is a folder"),
        (["all.csv", "--solution=valence.csv/solution.txt"], "valence.csv"),
        (["all.csv", "--header=Id"], "header 'Id': expected"),
        (["all.csv", "--header="], "header '': expected"),
        (["all.csv", "--header=Id,valence,,energy"], "header 'Id,valence,,energy': expected"),
        (["all.csv", "--header=Id,valence\nenergy"], "expected one line"),
        (["all.csv", "--header=Id,valence,valence"], "valence stands there twice"),
        (
            ["all.csv", "--header=Id,arousal"],
            "names arousal, but the predictions are of valence, energy, danceability;",
        ),
    ],
)
def test_arguments_that_do_not_fit_are_one_line(arguments, said, folder, capfd):
    write_predictions(folder / "more.csv", "valence", tracks={**TRACKS, **{str(n): 0.0 for n in range(11, 16)}})
    (folder / "run").mkdir()
    (folder / "link.csv").symlink_to("all.csv")
    assert said in refused_solution(folder, capfd, arguments)


def refused_solution(folder: Path, capfd: pytest.CaptureFixture[str], arguments: list[str]) -> str:
    """Return the error of a `combine` that must leave an earlier solution as it was."""
    (folder / "solution.txt").write_text("earlier")
    given = any(argument.startswith("--solution") for argument in arguments)
    return refused(folder, capfd, arguments if given else [*arguments, SOLUTION])


def test_combine_without_files_or_with_an_unknown_option_is_one_line(folder, capfd):
    assert "RUNS must be given" in error_of(capfd, ["combine"], code=2)
    assert "--heeder" in error_of(capfd, ["combine", "all.csv", "--heeder=Id,valence"], code=2)


def test_submit_names_what_does_the_same_now(folder, capfd):
    assert "use `musiclab combine A/predictions.csv" in error_of(capfd, ["submit", "all.csv"], code=2)


def test_help_of_submit_shows_several_files(capsys):
    with pytest.raises(SystemExit) as exit_info:
        main(["combine", "--help", SOLUTION])
    assert exit_info.value.code == 0
    text = capsys.readouterr().out
    assert "runs [runs ...]" in text
    assert "Folders of runs" in text


def test_file_names_are_taken_as_they_are(folder):
    """No name of a file is read as a number or a list."""
    names = ["1", "null", "[a,b]"]
    for name in names:
        write_predictions(folder / name, "x")
    main(["combine", *names, "--header=Id,x", SOLUTION])
    assert (folder / "solution.txt").exists()


def test_combine_needs_no_torch(folder):
    write_predictions(folder / "all.csv", "valence", "energy", "danceability", truth="0.5")  # so that it is a test
    command = "main(['combine', 'all.csv', '--solution=solution.txt', '--out=both'])"
    code = f"import sys; from musiclab.cli import main; {command}; print('torch' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines()[-1] == "False"


def test_write_solution_takes_rows_and_columns_in_any_order(tmp_path):
    values = np.array([[0.1, 0.2], [0.3, 0.4]], dtype=np.float32)
    path = tmp_path / "solution.txt"
    write_solution(path, ["b", "2"], ["energy", "valence"], values, "Id,valence,energy", "")
    assert path.read_text() == "Id,valence,energy\n2,0.400000,0.300000\nb,0.200000,0.100000\n"


def test_write_solution_refuses_a_value_that_is_not_finite(tmp_path):
    values = np.array([[0.1, np.nan], [0.3, np.inf]])
    path = tmp_path / "solution.txt"
    with pytest.raises(UserError, match=r"solution\.txt: .* energy of track 8 is nan"):
        write_solution(path, ["8", "2"], ["valence", "energy"], values, "Id,valence,energy")
    assert not any(tmp_path.iterdir())
    write_solution(path, ["8", "2"], ["valence", "energy"], values, "Id,valence")


def test_axes_of_a_header():
    assert solution_axes(HEADER) == ["valence", "energy", "danceability"]
    assert solution_axes("Id, arousal") == ["arousal"]
