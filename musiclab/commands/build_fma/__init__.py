"""``musiclab build-fma``."""
