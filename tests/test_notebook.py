"""The notebook runs from its first cell to its last, on a small data set, and shows its pictures."""

import nbformat
import pytest
from command_line import REPOSITORY
from conftest import make_emotion_folder, make_genre_folder
from nbclient import NotebookClient

NOTEBOOK = REPOSITORY / "examples" / "kaggle.ipynb"

IN_PLACE_OF_INSTALLING = """
import shlex
from pathlib import Path

import musiclab.cli

def in_this_process(line):
    words = shlex.split(get_ipython().var_expand(line))
    assert words[0] == "musiclab"
    small = ["--trainer.max_epochs=1", "--model.backbone.init_args.channels=[8,8,16,16]"]
    musiclab.cli.main([*words[1:], *(small if words[1] == "fit" else [])])

get_ipython().system = in_this_process  # the same commands, without a start of Python for each
"""


@pytest.fixture(scope="module")
def notebook(tmp_path_factory: pytest.TempPathFactory) -> nbformat.NotebookNode:
    """The notebook with its outputs."""
    folder = tmp_path_factory.mktemp("notebook")
    make_genre_folder(folder / "data" / "fma_genre_spectrograms")
    make_emotion_folder(folder / "data" / "multitask_dataset")
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    install, settings = [cell for cell in notebook.cells if cell.cell_type == "code"][:2]
    assert "%pip install" in install.source
    install.source = IN_PLACE_OF_INSTALLING
    assert 'DATA = ""' in settings.source
    settings.source = settings.source.replace('DATA = ""', 'DATA = "data"')
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()
    return notebook


def outputs(notebook: nbformat.NotebookNode, source: str) -> list[nbformat.NotebookNode]:
    (cell,) = [cell for cell in notebook.cells if source in cell.source]
    return list(cell.outputs)


def pictures(notebook: nbformat.NotebookNode, source: str) -> int:
    return sum("image/png" in output.get("data", {}) for output in outputs(notebook, source))


def test_it_is_committed_without_outputs() -> None:
    assert not any(cell.get("outputs") for cell in nbformat.read(NOTEBOOK, as_version=4).cells)


@pytest.mark.parametrize("source", ["explored/pictures", "curves_figure", "confusion_matrix", "scatter", "report/"])
def test_pictures_are_shown(notebook: nbformat.NotebookNode, source: str) -> None:
    assert pictures(notebook, source) > 0


def test_the_solution_is_written(notebook: nbformat.NotebookNode) -> None:
    (printed, *_) = outputs(notebook, "splitlines()")
    assert printed.text.startswith("Id.fused.full.npy.gz,valence,energy,danceability\n140.fused.full.npy.gz,")


def test_the_model_answers(notebook: nbformat.NotebookNode) -> None:
    (answer,) = (output for output in outputs(notebook, "musiclab.load") if output.output_type == "execute_result")
    assert "Rock" in answer.data["text/plain"]
