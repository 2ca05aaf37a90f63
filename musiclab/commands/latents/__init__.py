"""``musiclab latents``."""
