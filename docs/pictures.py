"""Make the pictures of the docs, of the demo corpus alone: ``make pictures``.

Two models are trained, genre and emotion, and asked about a song that is synthesised for the purpose; the other
pictures are those that musiclab's commands leave. The opening of a report is shown by Chromium, if there is one.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image

import musiclab
from musiclab.cli import main
from musiclab.data.audio.decoding import duration
from musiclab.data.audio.extraction import Clip as Part
from musiclab.data.audio.extraction import clip_spectrograms
from musiclab.demo.corpus import demo_folder
from musiclab.demo.genres import draw_traits
from musiclab.demo.synth import render
from musiclab.figures import Answers, Clip, save_figure, song_figure
from musiclab.spectrogram import FRAME_SECONDS, NUM_MELS, SAMPLE_RATE

ROOT = Path(__file__).parents[1]
PARTS = ("Classical", "Metal", "Jazz", "Hip-Hop", "Folk", "Electronic")
"""Genres that follow one another in the song; each part takes 7 to 9 s."""

COLOURS = 128
WIDEST = 1200  # pixels
LARGEST = 120_000  # bytes
HEIGHT = 780
"""Pixels that are shown of a page."""

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def answer(genre: Path, emotion: Path, song: Path, out: Path) -> None:
    """Draw what two models say of a song, over time."""
    models = [musiclab.load(genre), musiclab.load(emotion)]
    genres, emotions = (Answers(*model.over_time(song, hop=1.0), model.target_names) for model in models)
    decibels = clip_spectrograms(song, Part(0.0, duration(song)), ["full"])["full"][:NUM_MELS]
    title = "A song that goes from " + " to ".join(PARTS)
    figure = song_figure(Clip(decibels.T, "mel", FRAME_SECONDS), title, genres, emotions)
    save_figure(figure, out)
    shrink([out], out)


def write_song(path: Path, parts: Sequence[str] = PARTS, seed: int = 0) -> None:
    """Write a song of some genres, one after the other, that is in no part of the demo corpus."""
    rng = np.random.default_rng([seed, 2026])
    samples = np.concatenate([render(draw_traits(genre, rng), rng) for genre in parts])
    soundfile.write(path, samples, SAMPLE_RATE)


def shrink(pictures: Sequence[Path], out: Path) -> None:
    """Write pictures, side by side, as one of few colours that is no wider than a page."""
    opened = [Image.open(path).convert("RGB") for path in pictures]
    joined = Image.new("RGB", (sum(p.width for p in opened), max(p.height for p in opened)), "white")
    for index, picture in enumerate(opened):
        joined.paste(picture, (sum(p.width for p in opened[:index]), 0))
    joined.thumbnail((WIDEST, 10 * WIDEST))
    colours = COLOURS
    while True:
        joined.quantize(colours, dither=Image.Dither.NONE).save(out, optimize=True)
        if out.stat().st_size <= LARGEST or colours <= 16:
            break
        colours //= 2
    print(f"{out}: {joined.width} x {joined.height}, {out.stat().st_size / 1000:.0f} kB")


def photograph(page: Path, out: Path) -> None:
    """Write what a browser shows first of a page."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        print(f"{out} is left as it is: there is no {' or '.join(BROWSERS)} to show {page.name}")
        return
    with tempfile.TemporaryDirectory() as profile:
        command = [
            browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={profile}",
            f"--window-size={WIDEST},{HEIGHT}", f"--screenshot={out}", page.resolve().as_uri(),
        ]  # fmt: skip
        subprocess.run(command, check=True, capture_output=True)
    shrink([out], out)


def fit(folder: Path, config: str, *options: str) -> Path:
    """Train a model on the demo corpus, unless it has been trained in this folder before; return its checkpoint."""
    made = folder / "lightning_logs" / "version_0" / "checkpoints" / "best.ckpt"
    if not made.is_file():
        main(["fit", "-c", str(ROOT / "configs" / config), f"--trainer.default_root_dir={folder}", *options])
    return made


def rivals(work: Path) -> list[Path]:
    """Train small genre models on mel spectrograms and on chroma, twice each; return their checkpoints."""
    quick = f"-c={ROOT / 'configs' / 'quick.yaml'}"
    return [
        fit(
            work / features / f"seed_{seed}",
            "genre_cnn.yaml",
            quick,
            f"--data.features={features}",
            f"--seed_everything={seed}",
        )
        for features in ("mel", "chroma")
        for seed in range(2)
    ]


def compare(models: Sequence[Path], report: Path, out: Path) -> None:
    """Write the report of some models, and how it opens."""
    main(["report", *(str(model.parents[1]) for model in models), "--out", str(report)])
    photograph(report / "report.html", out)


def make(work: Path, out: Path, genre: Path | None, emotion: Path | None) -> None:
    """Make all pictures; models that are not given are trained in the folder ``work``."""
    genre = genre or fit(work / "genre", "genre_cnn.yaml", "--trainer.max_epochs=20")
    options = [f"--model.pretrained={genre}", "--trainer.max_epochs=10"]
    emotion = emotion or fit(work / "emotion", "emotion_transfer.yaml", *options)
    out.mkdir(parents=True, exist_ok=True)
    song = work / "song.wav"
    write_song(song)
    answer(genre, emotion, song, out / "answer.png")

    compare([genre, emotion, *rivals(work)], work / "compared", out / "report.png")
    main(["report", str(genre.parents[1]), str(emotion.parents[1]), "--out", str(work / "report")])
    (confusion,) = (work / "report" / "pictures").glob("*_confusion.png")
    curves = [work / "report" / "pictures" / f"model_1_{name}.png" for name in ("loss", "accuracy", "f1")]
    shrink([confusion], out / "confusion.png")
    shrink(curves, out / "curves.png")

    main(["latents", f"--ckpt_path={genre}", "--out", str(work / "latents")])
    (pca,), (tsne,) = (list((work / "latents").glob(f"*_{method}.png")) for method in ("pca", "tsne"))
    shrink([pca, tsne], out / "latents.png")

    root, beats = (demo_folder("fma_genre_spectrograms", beat_synced) for beat_synced in (False, True))
    main(["explore", str(root), "--beat_root", str(beats), "--out", str(work / "explore")])
    drawn = work / "explore" / "pictures"
    shrink([drawn / "track_1_mel.png", drawn / "track_1_mel_beat.png"], out / "explore_mel.png")
    shrink([drawn / "track_1_chroma.png", drawn / "track_1_chroma_beat.png"], out / "explore_chroma.png")
    shrink([drawn / "genres_before.png", drawn / "genres_after.png"], out / "explore_genres.png")

    main(["activations", f"--ckpt_path={genre}", "--maps=8", "--out", str(work / "activations")])
    shrink([work / "activations" / f"{name}.png" for name in ("track", "block_2")], out / "activations.png")


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the options of the command line."""
    parser = argparse.ArgumentParser(description=re.split(r"\n\n", __doc__ or "")[0])
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "pictures", help="what is made on the way")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "pictures", help="folder of the pictures")
    parser.add_argument("--genre", type=Path, help="checkpoint of a genre model of the demo corpus; else trained")
    parser.add_argument("--emotion", type=Path, help="checkpoint of an emotion model of it; else trained from there")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    given = parse()
    given.work.mkdir(parents=True, exist_ok=True)
    sys.exit(make(given.work, given.out, given.genre, given.emotion))
