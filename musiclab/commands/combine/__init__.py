"""``musiclab combine``."""
