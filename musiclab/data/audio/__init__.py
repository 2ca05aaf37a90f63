"""From audio files to spectrograms."""

from musiclab.files import give_numba_a_cache

give_numba_a_cache()
