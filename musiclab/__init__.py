"""Recognise genre and emotion of music from spectrograms."""

__version__ = "0.1.0"
