"""The commands besides Lightning's: one module or folder each."""
