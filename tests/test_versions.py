"""The versions that are tested are those that are allowed."""

import re
import tomllib

from command_line import REPOSITORY


def test_the_lowest_versions_tested_are_the_lowest_allowed():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    allowed = dict(
        re.split(r"(?:\[.*\])?>=", line)
        for line in project["dependencies"] + extras["ast"] + extras["fma"] + extras["search"] + extras["test"][1:]
    )
    lines = (REPOSITORY / "constraints-lowest.txt").read_text(encoding="utf-8").splitlines()
    tested = dict(line.split("==") for line in lines if not line.startswith("#"))
    del allowed["torch"]
    assert tested == allowed
