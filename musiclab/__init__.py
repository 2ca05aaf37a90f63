"""Recognise the genre of music and its emotional dimensions from spectrograms."""

__version__ = "0.1.0"
