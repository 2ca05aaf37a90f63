"""Recognise the genre of music from spectrograms."""

__version__ = "0.1.0"
