"""``musiclab activations``."""
