"""What a trained network makes of tracks: its embeddings, its feature maps, its attention."""
