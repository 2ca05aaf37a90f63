"""``examples/own_features.py``: a data set of features that musiclab knows nothing of."""

import runpy
import sys
from pathlib import Path

import numpy as np
import scipy.fft

from musiclab.cli import main
from musiclab.data.datamodules import GenreDataModule

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "own_features.py"


def test_the_example_makes_a_set_that_can_be_trained_on(genre_root, tmp_path, monkeypatch, capsys):
    out = tmp_path / "mfcc"
    monkeypatch.setattr(sys, "argv", [str(EXAMPLE), str(genre_root), str(out)])
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    assert f"--data.root {out} --data.features all" in capsys.readouterr().out
    main(["check", str(out)])
    assert "nothing is wrong" in capsys.readouterr().out
    data = GenreDataModule(root=out, features="all", store_dtype="float32")
    assert (data.num_features, data.recipe["scale"]) == (20, "mfcc")
    data.setup("test")
    (batch,) = data.test_dataloader()
    mel = np.load(genre_root / "test" / f"{batch.ids[0]}.fused.full.npy")[:128]
    expected = scipy.fft.dct(mel, axis=0, norm="ortho")[:20]
    np.testing.assert_allclose(batch.spectrograms[0, : batch.lengths[0]].numpy().T, expected, rtol=1e-4, atol=1e-2)
