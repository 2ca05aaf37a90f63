"""Train a genre model in Python, on a data set folder or the demo corpus, and ask it about a track.

python examples/train_in_python.py [--root FOLDER] [--epochs 10]
"""

import argparse
from functools import partial

import torch
from pytorch_lightning import seed_everything

import musiclab
from musiclab.demo import demo_folder
from musiclab.models import CNN


def main(root: str | None, epochs: int) -> None:
    """Train, test and ask; the run is in ``lightning_logs`` of the current folder, as one of the command line."""
    seed_everything(0)
    data = musiclab.GenreDataModule(root=root or demo_folder("fma_genre_spectrograms"))
    task = musiclab.ClassificationTask.for_data(
        data,
        backbone=partial(CNN, channels=[16, 32, 64, 128]),  # a class, or a partial of one: kept in the checkpoint
        optimizer=partial(torch.optim.AdamW, lr=0.002),
    )
    trainer = musiclab.Trainer(max_epochs=epochs)
    trainer.fit(task, data)
    trainer.test(task, data, ckpt_path="best", verbose=False)

    best = trainer.checkpoint_callback.best_model_path
    track = next((data.root / "test").glob("*.npy*"))
    print(f"{track.name}: {musiclab.load(best).predict(track)}")
    print(f"On the command line: musiclab test --ckpt_path {best}")


if __name__ == "__main__":  # processes that load data import this file again on some systems
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", help="data set folder; without, the demo corpus")
    parser.add_argument("--epochs", type=int, default=10)
    main(**vars(parser.parse_args()))
