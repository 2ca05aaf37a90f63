"""``musiclab report``."""
