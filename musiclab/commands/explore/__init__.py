"""``musiclab explore``."""
