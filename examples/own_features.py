"""Features of your own: MFCC in place of mel spectrograms, as an example of whatever you can compute of a track.

    python examples/own_features.py ROOT OUT
    musiclab fit -c configs/genre_lstm.yaml --data.root OUT --data.features all

ROOT is a data set folder of the lab's arrays, as `musiclab build-genres` makes it of songs; OUT gets the same tracks
and label files with other arrays. Replace `features` by your own: frames of another model's embeddings, say.
"""

import argparse
import json
import shutil
from pathlib import Path

import librosa
import numpy as np

from musiclab.data.arrays import find_arrays, read_array

NUM_MELS = 128
COEFFICIENTS = 20


def features(array: np.ndarray) -> np.ndarray:
    """Return an array (rows, time) of any number of rows, the same for all tracks; one column will do."""
    return librosa.feature.mfcc(S=array[:NUM_MELS].astype(np.float32), n_mfcc=COEFFICIENTS)


def convert(root: Path, out: Path) -> None:
    """Write the features of all tracks of a data set folder to another one."""
    for part in ("train", "test"):
        if not (root / part).is_dir():
            continue
        (out / part).mkdir(parents=True, exist_ok=True)
        for track, path in find_arrays(root / part).items():
            np.save(out / part / f"{track}.npy", features(read_array(path)).astype(np.float32))
    for labels in root.glob("*.txt"):
        shutil.copy(labels, out / labels.name)
    # How they were made. `fit` takes the duration of a frame from it, the checkpoint keeps it, and data that say
    # otherwise are refused. A scale other than dB says that they are no mel bands.
    described = {"seconds": 512 / 22050, "scale": "mfcc", "about": f"{COEFFICIENTS} MFCC of {NUM_MELS} mel bands"}
    (out / "features.json").write_text(json.dumps(described, indent=1))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    convert(options.root, options.out)
    print(f"musiclab fit -c configs/genre_lstm.yaml --data.root {options.out} --data.features all")
