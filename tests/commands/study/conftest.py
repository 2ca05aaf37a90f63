"""Studies whose trainings are run here, or only noted down."""

import textwrap

import pytest

from commands.study.standins import Standins
from musiclab.commands.study import running
from musiclab.commands.study import study as module


@pytest.fixture
def study_file(tmp_path, monkeypatch):
    """Write the file of a study, ``mine.yaml`` in the current folder, and return its path."""
    monkeypatch.chdir(tmp_path)

    def write(text):
        path = tmp_path / "mine.yaml"
        path.write_text(textwrap.dedent(text))
        return path

    return write


@pytest.fixture
def standins(monkeypatch):
    """Have what stands in for trainings leave what they leave, at once and in this process."""
    standins = Standins()
    for place in (running, module):
        monkeypatch.setattr(place, "start", standins.start)
    return standins
