"""Ask a trained model about songs.

python examples/predict_song.py lightning_logs/version_0/checkpoints/best.ckpt song.mp3 another.wav
"""

import sys

import musiclab


def main(checkpoint: str, *songs: str) -> None:
    """Print what a model says of each song, and how that changes along the first."""
    model = musiclab.load(checkpoint)
    print(model)
    for song, answer in zip(songs, model.predict(list(songs)), strict=True):
        best = sorted(answer.items(), key=lambda item: -item[1])
        print(f"{song}: " + ", ".join(f"{name} {value:.2f}" for name, value in best[:3]))
    for seconds, values in zip(*model.over_time(songs[0], hop=5), strict=True):
        print(f"{seconds:6.1f} s  " + "  ".join(f"{value:.2f}" for value in values))


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except musiclab.UserError as error:  # one line that says what is wrong and what to do
        sys.exit(f"{error}")
