"""``musiclab check``."""
