"""Which arrays a model is asked about, told by its checkpoint alone."""

import pytest

from musiclab.data.datamodules.audio import rows_of_lab
from musiclab.spectrogram import LAB


@pytest.mark.parametrize(
    ("features", "rows", "recipe", "expected"),
    [
        ("mel", 128, None, "mel"),
        ("chroma", 12, LAB.plain(), "chroma"),
        ("all", 128, None, "mel"),
        ("all", 140, None, "fused"),
        ("all", 128, {"seconds": 0.5, "chroma": 0}, "mel"),
        ("all", 128, {"seconds": 0.5, "about": "embeddings of a network"}, None),
        ("all", 128, {"mels": 128, "rate": 16000}, None),
        ("all", 64, None, None),
        ("all", 12, None, None),
    ],
)
def test_rows_are_the_labs_where_nothing_says_otherwise(features, rows, recipe, expected):
    trained = {"features": features, "num_features": rows, "recipe": recipe, "seconds": 0.5}
    assert rows_of_lab(trained) == expected
