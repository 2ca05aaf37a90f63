"""From audio files to spectrograms and to data set folders."""
