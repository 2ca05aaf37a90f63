"""Which packages there are; all else is in pyproject.toml, which cannot add the configs to those that it finds."""

from setuptools import find_packages, setup

setup(packages=[*find_packages(include=["musiclab*"]), "musiclab.configs"], package_dir={"musiclab.configs": "configs"})
