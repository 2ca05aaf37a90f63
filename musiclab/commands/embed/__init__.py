"""``musiclab embed``: what a network knows of tracks before its output layer."""
