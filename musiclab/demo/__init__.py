"""The demo corpus: music synthesised from scratch, for trying everything out."""

from musiclab.demo.corpus import demo_folder

__all__ = ["demo_folder"]
