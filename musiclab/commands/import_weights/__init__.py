"""``musiclab import-weights``."""
