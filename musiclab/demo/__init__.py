"""The demo corpus: music synthesised from scratch, for trying everything out."""
