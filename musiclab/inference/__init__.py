"""Trained models that answer: what a checkpoint is of, made again."""
