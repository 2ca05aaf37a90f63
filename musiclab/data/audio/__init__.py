"""From audio files to spectrograms."""
