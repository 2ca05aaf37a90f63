"""Which packages there are; all else is in pyproject.toml, which cannot add the configs to those that it finds."""

from setuptools import find_packages, setup

BESIDE = ("configs", "studies")
"""Folders beside the package that come along in it."""

setup(
    packages=[*find_packages(include=["musiclab*"]), *(f"musiclab.{name}" for name in BESIDE)],
    package_dir={f"musiclab.{name}": name for name in BESIDE},
)
