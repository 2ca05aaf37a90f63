"""What the docs show works: shell commands are parsed as they would be, Python is run, links lead somewhere."""

import functools
import importlib
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest
import soundfile
from command_line import REPOSITORY, fit_args, run_folder
from conftest import make_emotion_folder, make_genre_folder

from musiclab.cli import main
from musiclab.cli.dispatch import COMMANDS, TRAINING
from musiclab.cli.training import TrainingCLI
from musiclab.data.artists import read_artists
from musiclab.data.targets import TagTargets

EXAMPLES = REPOSITORY / "examples"

PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").glob("*.md"))]

BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)  # in lists, it is indented

NO_COMMANDS = ("gpu.md", "speed.md", "reliability.md")
"""Pages of measurements, whose commands are targets of the Makefile and benchmarks."""

PRELUDE = r"""
set -e
cd() { :; }
source() { :; }
others() { :; }
for name in pip ffmpeg tensorboard jupyter sbatch python unzip; do eval "$name() { :; }"; done
srun() { while [[ "$1" == -* ]]; do shift; done; "$@"; }
make() { printf 'make\0%s\n' "$1" >> "$CALLS"; }
musiclab() { printf 'musiclab' >> "$CALLS"; printf '\0%s' "$@" >> "$CALLS"; printf '\n' >> "$CALLS"; }
"""
"""What stands in for the commands of a page: those of musiclab are noted down, others are passed over."""

needs_bash = pytest.mark.skipif(shutil.which("bash") is None or os.name == "nt", reason="there is no bash")


class ParsedError(Exception):
    """Raised where a command would begin its work."""


def blocks(page: Path, *languages: str) -> list[str]:
    found = BLOCK.findall(page.read_text(encoding="utf-8"))
    return [dedent(text) for _, language, text in found if language in languages]


def calls(page: Path, folder: Path) -> list[list[str]]:
    """Return the command lines that the shell makes of a page's blocks, one after the other."""
    cells = [block for block in blocks(page, "") if re.search("^!", block, re.MULTILINE)]  # of notebooks
    cells = [re.sub("^!", "", re.sub("^%.*", "", cell, flags=re.MULTILINE), flags=re.MULTILINE) for cell in cells]
    noted = folder / "calls"
    script = PRELUDE + "\n".join([*blocks(page, "sh"), *cells])
    environment = {**os.environ, "CALLS": str(noted), "SLURM_ARRAY_TASK_ID": "1"}
    subprocess.run(["bash", "-c", script], cwd=folder, env=environment, check=True, capture_output=True, text=True)
    return [line.split("\0") for line in noted.read_text().splitlines()] if noted.exists() else []


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("docs")
    root = make_genre_folder(folder / "ROOT", train=36, test=6)
    main(fit_args("genre_cnn.yaml", root, folder))
    return run_folder(folder) / "checkpoints" / "best.ckpt"


@pytest.fixture
def place(tmp_path: Path, checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder of somebody who follows the docs."""
    monkeypatch.chdir(tmp_path)
    make_genre_folder(tmp_path / "ROOT", train=36, test=6)
    make_emotion_folder(tmp_path / "EMOTION_ROOT", train=20, test=4)
    for name in ("best.ckpt", "musicnn.ckpt"):
        shutil.copy(checkpoint, tmp_path / name)
    sound = np.random.default_rng(0).normal(scale=0.1, size=2 * 22050)
    soundfile.write(tmp_path / "song.mp3", sound, 22050)
    np.savez(tmp_path / "library.npz", embedding=np.zeros((3, 8), np.float32), id=["a", "b", "c"])
    for example in EXAMPLES.glob("own_*"):
        shutil.copy(example, tmp_path)
    give_tag_lists(tmp_path)
    return tmp_path


def give_tag_lists(folder: Path) -> None:
    """Write lists as MagnaTagATune and MTG-Jamendo publish them, and arrays of some of their songs."""
    clips = [
        '"clip_id"\t"no voice"\t"rock"\t"mp3_path"',
        '"2"\t"1"\t"0"\t"f/ada_x-suite-01-air-30-59.mp3"',
        '"6"\t"1"\t"1"\t"c/bob-live-02-song-0-29.mp3"',
        '"1"\t"0"\t"1"\t"c/bob-live-02-song-30-59.mp3"',
    ]
    (folder / "annotations_final.csv").write_text("\n".join(clips) + "\n")
    tracks = [
        "TRACK_ID\tARTIST_ID\tALBUM_ID\tPATH\tDURATION\tTAGS",
        "track_0000214\tartist_000014\talbum_000031\t14/214.mp3\t124.6\tgenre---rock\tinstrument---piano",
        "track_0000215\tartist_000014\talbum_000031\t15/215.mp3\t151.4\tgenre---rock",
    ]
    (folder / "autotagging.tsv").write_text("\n".join(tracks) + "\n")
    songs = {"MTT": ["ada_x-suite-01-air-30-59", "bob-live-02-song-0-29"], "JAMENDO": ["214", "215"]}
    for root, names in songs.items():
        (folder / root / "train").mkdir(parents=True)
        for name in names:
            np.save(folder / root / "train" / f"{name}.fused.full.npy", np.zeros((140, 5), np.float32))


@pytest.fixture
def parse_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have commands end where their work would begin."""

    def stopped(command: Callable[..., object]) -> Callable[..., object]:
        @functools.wraps(command)
        def stop(*args: object, **kwargs: object) -> None:
            raise ParsedError

        return stop

    monkeypatch.setattr(TrainingCLI, "before_instantiate_classes", stopped(TrainingCLI.before_instantiate_classes))
    for place, _ in COMMANDS.values():
        module, name = place.split(":")
        loaded = importlib.import_module(module)
        monkeypatch.setattr(loaded, name, stopped(getattr(loaded, name)))


def give_files(arguments: list[str], checkpoint: Path) -> None:
    """Have there be the checkpoints and configs that a command line names."""
    for option, value in pairwise(arguments):
        there = Path(value)
        if option == "--ckpt_path" and not there.exists():
            there.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(checkpoint, there)
        if option == "-c" and there.name == "config.yaml" and not there.exists():
            there.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(checkpoint.parents[1] / "config.yaml", there)


@needs_bash
@pytest.mark.usefixtures("parse_only")
@pytest.mark.parametrize("page", [page for page in PAGES if page.name not in NO_COMMANDS], ids=lambda page: page.name)
def test_commands_of_a_page_are_commands(page: Path, place: Path, checkpoint: Path) -> None:
    targets = re.findall("^([a-z-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)
    # Those of a loop differ in the values of options alone: one of them is enough.
    forms = {(*call[:2], *(word for word in call if re.match("-|.*yaml$", word))): call for call in calls(page, place)}
    for program, *arguments in forms.values():
        if program == "make":
            assert arguments[0] in targets
            continue
        arguments = ["ROOT" if argument.startswith("/kaggle") else argument for argument in arguments]
        give_files(arguments, checkpoint)
        try:
            main(arguments)
        except ParsedError:
            continue
        except SystemExit as ended:
            code = ended.code
        else:
            code = "ended"
        asked = any(argument.endswith("help") for argument in arguments)
        assert (code, asked) == (0, True), f"{page.name}: musiclab {' '.join(arguments)}"


RUN = [page for page in PAGES if blocks(page, "python") and page.name != "export.md"]  # run by test_export.py


@pytest.mark.parametrize("page", RUN, ids=lambda page: page.name)
def test_python_of_a_page_runs(page: Path, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, object] = {"__name__": "docs"}
    for block in blocks(page, "python"):
        exec(compile(block, page.name, "exec"), names)


def test_published_lists_of_tags_become_label_files(place: Path) -> None:
    names: dict[str, object] = {}
    for block in blocks(REPOSITORY / "docs" / "data.md", "python"):
        exec(compile(block, "data.md", "exec"), names)
    found = TagTargets(place / "MTT" / "train_labels.txt", None)
    assert found.names == ["no voice", "rock"]
    labelled = found.read(place / "MTT" / "train_labels.txt")
    assert labelled.ids == ["ada_x-suite-01-air-30-59", "bob-live-02-song-0-29"]
    assert labelled.targets.tolist() == [[1, 0], [1, 1]]
    assert list(read_artists(place / "MTT").values()) == ["ada_x", "bob"]
    found = TagTargets(place / "JAMENDO" / "train_labels.txt", None)
    assert found.names == ["genre---rock", "instrument---piano"]
    assert found.read(place / "JAMENDO" / "train_labels.txt").targets.tolist() == [[1, 1], [1, 0]]
    assert set(read_artists(place / "JAMENDO").values()) == {"artist_000014"}


def test_each_command_is_shown() -> None:
    shown = "\n".join(block for page in PAGES for block in blocks(page, "sh"))
    assert [name for name in (*TRAINING, *COMMANDS) if f"musiclab {name} " not in shown] == []


def test_the_backbone_of_the_docs_is_that_of_the_example() -> None:
    shown, example = (
        [line for line in text.splitlines() if line and '"""' not in line]
        for text in (blocks(REPOSITORY / "docs" / "extend.md", "python")[0], (EXAMPLES / "own_backbone.py").read_text())
    )
    assert [line for line in shown if line not in example] == []


def links() -> Iterator[tuple[Path, str]]:
    for page in PAGES:
        for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
            yield page, link


@pytest.mark.parametrize(("page", "link"), [(page, link) for page, link in links() if "://" not in link])
def test_links_lead_somewhere(page: Path, link: str) -> None:
    target, _, heading = link.partition("#")
    file = (page.parent / target).resolve() if target else page
    assert file.exists(), f"{page.name}: {link}"
    if heading:
        titles = re.findall("^#+ (.*)$", file.read_text(encoding="utf-8"), re.MULTILINE)
        assert heading in [re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles]


def test_the_readme_is_of_one_screen_or_two() -> None:
    assert len((REPOSITORY / "README.md").read_text(encoding="utf-8").splitlines()) <= 150
