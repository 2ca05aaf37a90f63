"""From label files and arrays to batches."""
