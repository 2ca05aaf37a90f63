"""The package as it is built: what comes along, and that it works away from where it was made."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest
from command_line import REPOSITORY, SMALL_LSTM, TIMEOUT, read_rows
from conftest import make_genre_folder

BUILD = "import sys; from setuptools import build_meta; print(build_meta.build_{kind}(sys.argv[1]))"


def build(kind, folder):
    """Build the package of a copy of the tree, with the setuptools that are installed here; return the file."""
    tree, made = folder / "tree", folder / "dist"
    made.mkdir(parents=True)
    for name in ("musiclab", "configs", "studies"):
        shutil.copytree(REPOSITORY / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "setup.py", "README.md", "LICENSE"):
        shutil.copy(REPOSITORY / name, tree)
    command = [sys.executable, "-c", BUILD.format(kind=kind), str(made)]
    done = subprocess.run(command, cwd=tree, capture_output=True, text=True, check=False, timeout=TIMEOUT)
    assert done.returncode == 0, done.stderr
    return made / done.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return build("wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """Return the ``musiclab`` of an environment that has the wheel; its libraries are those that are installed here."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=False)
    packages = next(folder.glob("[Ll]ib*/**/site-packages"))
    with zipfile.ZipFile(wheel) as files:  # what pip does with a wheel of pure Python
        files.extractall(packages)
    # Other packages only, without what makes this tree importable.
    (packages / "others.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    return [str(folder / ("Scripts" if os.name == "nt" else "bin") / "python"), "-m", "musiclab"]


def run(installed, args, folder, **variables):
    """Run a command in a folder, with nothing of the tree on the path; None for a variable takes it away."""
    own = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": None, **variables}
    own = {name: value for name, value in own.items() if value is not None}
    return subprocess.run(
        [*installed, *args], env=own, cwd=folder, capture_output=True, text=True, check=False, timeout=TIMEOUT
    )


def files_of(folder):
    return {path.relative_to(REPOSITORY) for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"}


def test_the_wheel_holds_all_of_the_package_the_configs_and_the_studies(wheel):
    with zipfile.ZipFile(wheel) as files:
        names = {Path(name) for name in files.namelist()}
        one = files.read("musiclab/configs/genre_cnn.yaml")
    ours = {name for name in names if name.parts[0] == "musiclab"}
    configs = {Path("musiclab", path) for name in ("configs", "studies") for path in files_of(REPOSITORY / name)}
    assert ours == files_of(REPOSITORY / "musiclab") | configs
    assert {path.suffix for path in ours} == {".py", ".yaml", ".css", ".html", ".js"}
    assert one == (REPOSITORY / "configs" / "genre_cnn.yaml").read_bytes()
    assert {name.parts[0] for name in names - ours} == {f"musiclab-{wheel.name.split('-')[1]}.dist-info"}


def test_the_source_package_holds_the_configs_too(tmp_path):
    shutil.unpack_archive(build("sdist", tmp_path), tmp_path / "source")
    (source,) = (tmp_path / "source").iterdir()
    for name in ("configs", "studies", "musiclab"):
        own = {path.relative_to(source) for path in (source / name).rglob("*") if path.is_file()}
        assert own == files_of(REPOSITORY / name)


def test_installed_it_finds_its_own_files(installed, tmp_path):
    listed = run(installed, ["configs"], tmp_path)
    assert listed.returncode == 0, listed.stderr
    there = [path for name in ("configs", "studies") for path in (REPOSITORY / name).rglob("*.yaml")]
    assert listed.stdout.count(".yaml ") == len(there)
    where = run([installed[0], "-c"], ["import musiclab; print(musiclab.__file__)"], tmp_path)
    assert Path(where.stdout).is_relative_to(Path(installed[0]).parents[1])


@pytest.mark.slow
class TestInstalled:
    """From nothing to an answer, in an empty folder."""

    def test_demo_data_fit_predict_and_a_page(self, installed, tmp_path):
        sizes = ["--genre_train=28", "--genre_test=14", "--emotion_train=4", "--emotion_test=2", "--jobs=1"]
        made = run(installed, ["demo-data", "demo", *sizes], tmp_path)
        assert made.returncode == 0, made.stderr
        options = ["--data.val_fraction=0.5", "--trainer.max_epochs=1", "--trainer.accelerator=cpu", *SMALL_LSTM]
        root = ["--data.root", "demo/fma_genre_spectrograms"]
        fitted = run(installed, ["fit", "-c", "genre_lstm.yaml", *root, *options], tmp_path)
        assert fitted.returncode == 0, fitted.stderr
        checkpoint = "lightning_logs/version_0/checkpoints/best.ckpt"
        predicted = run(installed, ["predict", "--ckpt_path", checkpoint, "--trainer.accelerator=cpu"], tmp_path)
        assert predicted.returncode == 0, predicted.stderr
        assert read_rows(tmp_path / "lightning_logs" / "version_1" / "predictions.csv")
        report = run(installed, ["report", "lightning_logs", "--out", "report"], tmp_path)  # with template and styles
        assert report.returncode == 0, report.stderr
        assert "<style>" in (tmp_path / "report" / "report.html").read_text(encoding="utf-8")

    @pytest.mark.parametrize("home", ["read-only", "missing", "none"])
    def test_a_home_that_cannot_be_used(self, installed, home, tmp_path):
        """A home that must not be written, or is not there: it works, or is told of in a line."""
        make_genre_folder(tmp_path / "genres")
        folder = tmp_path / "home"
        if home == "read-only":
            folder.mkdir(mode=0o500)
        none = dict.fromkeys(("MUSICLAB_CACHE", "XDG_CACHE_HOME", "MPLCONFIGDIR", "NUMBA_CACHE_DIR"))
        none["HOME"] = None if home == "none" else str(folder)
        args = ["fit", "-c", "genre_lstm.yaml", "--data.root", "genres", "--trainer.max_epochs=1", *SMALL_LSTM]
        done = run(installed, [*args, "--trainer.accelerator=cpu"], tmp_path, **none)
        assert "Traceback" not in done.stderr
        assert done.returncode == 0 or done.stderr.splitlines()[-1].startswith("musiclab: error: "), done.stderr
