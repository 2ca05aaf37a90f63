"""``musiclab reproduce``: the lab's whole table, each run a plain ``musiclab fit`` that a person could have typed."""

import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import NamedTuple

from musiclab.errors import UserError

AXES = ("valence", "energy", "danceability")
GENRES, EMOTIONS = "fma_genre_spectrograms", "multitask_dataset"
BASE = "genre_cnn"
"""The run whose backbone the transfer starts from."""

BEST = "checkpoints/best.ckpt"
BASE_CHECKPOINT = "BASE_CHECKPOINT"

SHORT = ("--data.limit", "80", "--trainer.max_epochs", "2")
"""Settings of runs that only show that everything works."""


class Run(NamedTuple):
    """One training: the name of its folder, its configs, the data set folder and other options."""

    name: str
    configs: Sequence[str]
    data: str
    options: Sequence[str] = ()


RUNS = (
    Run(BASE, ["genre_cnn"], GENRES),
    Run("genre_lstm_mel", ["genre_lstm"], GENRES),
    Run("genre_lstm_beat", ["genre_lstm"], f"{GENRES}_beat", ["--data.beat_synced", "true"]),
    Run("genre_lstm_chroma", ["genre_lstm"], GENRES, ["--data.features", "chroma"]),
    Run("genre_lstm_fused", ["genre_lstm"], GENRES, ["--data.features", "fused"]),
    *(Run(f"lstm_{axis}", ["emotion_lstm"], EMOTIONS, ["--data.axes", axis]) for axis in AXES),
    *(Run(f"cnn_{axis}", ["emotion_cnn"], EMOTIONS, ["--data.axes", axis]) for axis in AXES),
    Run("transfer", ["emotion_transfer"], EMOTIONS, ["--model.pretrained", BASE_CHECKPOINT]),
    Run("multitask", ["emotion_multitask"], EMOTIONS),
    Run("multitask_fixed", ["emotion_multitask", "weighting_fixed"], EMOTIONS),
    Run("multitask_learned", ["emotion_multitask", "weighting_learned"], EMOTIONS),
)
"""The lab's steps 5 to 10. The first run is the one that another starts from."""


def reproduce(
    root: str | None = None, *, out: str = "runs/reproduce", short: bool = False, show: bool = False, options: str = ""
) -> None:
    """Train and test all models of the lab one after the other, and write the report on them.

    The same command again goes on with the run that was interrupted, from its last checkpoint. A run that fails stops
    no others; the exit code is then 1.

    Args:
        root: Folder with the lab's fma_genre_spectrograms, fma_genre_spectrograms_beat and multitask_dataset; null
            for the demo corpus.
        out: Where the runs go, each to a folder of its own, and the report.
        short: Train each model for 2 epochs on 80 tracks, to see that everything works.
        show: Only print the commands, one a line, for instance for a job array.
        options: More options for each fit, as in "--trainer.precision bf16-mixed".
    """
    folder = Path(out)
    more = [*(SHORT if short else ()), *shlex.split(options)]
    _check(root)
    if show:
        for run in RUNS:
            print(shlex.join(["musiclab", *fit_arguments(run, root, folder, more, folder_of(folder, BASE) / BEST)]))
        return
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _terminated)
    failed = []
    for number, run in enumerate(RUNS, 1):
        arguments = next_arguments(run, root, folder, more)
        print(f"\n[{number}/{len(RUNS)}] {run.name}{'' if arguments else ': done already'}", flush=True)
        if arguments and not _call(arguments):
            failed.append(run.name)
    print("\nReport", flush=True)
    written = _call(["report", str(folder), "--out", str(folder / "report")])
    if failed:
        raise UserError(f"{', '.join(failed)}: failed; mend what is said above and run the same command again")
    if not written:
        raise SystemExit(1)


def fit_arguments(run: Run, root: str | None, out: Path, more: Sequence[str], base: Path) -> list[str]:
    """Return the arguments that begin a run.

    Args:
        run: The run.
        root: Folder of the data set folders; None for the demo corpus.
        out: Folder of the runs.
        more: Options of all runs.
        base: Checkpoint that a transfer starts from.
    """
    arguments = ["fit"]
    for config in run.configs:
        arguments += ["-c", f"configs/{config}.yaml"]
    if root is not None:
        arguments += ["--data.root", str(Path(root, run.data))]
    arguments += [str(base) if option == BASE_CHECKPOINT else option for option in run.options]
    return [*arguments, *more, "--trainer.default_root_dir", str(out / run.name)]


def next_arguments(run: Run, root: str | None, out: Path, more: Sequence[str]) -> list[str] | None:
    """Return the arguments that begin a run, or go on with it; None if it has been tested already."""
    versions = _versions(out, run.name)
    if any((version / "test_metrics.json").exists() for version in versions):
        return None
    started = [version for version in versions if any(version.glob("checkpoints/*.ckpt"))]
    if started:
        folder = started[-1]
        return ["fit", "-c", str(folder / "config.yaml"), "--ckpt_path", str(folder / "checkpoints/last.ckpt")]
    bases = [version for version in _versions(out, BASE) if (version / "test_metrics.json").exists()]
    return fit_arguments(run, root, out, more, (bases[-1] if bases else folder_of(out, BASE)) / BEST)


def folder_of(out: Path, name: str) -> Path:
    """Return the folder of a run that was not interrupted before its first checkpoint."""
    return out / name / "lightning_logs" / "version_0"


def _versions(out: Path, name: str) -> list[Path]:
    found = folder_of(out, name).parent.glob("version_*")
    return sorted(found, key=lambda version: int(version.name.removeprefix("version_")))


def _check(root: str | None) -> None:
    if root is not None:
        missing = sorted({run.data for run in RUNS if not Path(root, run.data).is_dir()})
        if missing:
            raise UserError(
                f"{Path(root, missing[0])}: no such folder; give the folder that holds {', '.join(missing)}"
            )


def _call(arguments: Sequence[str]) -> bool:
    """Run a command to its end; if this process is asked to end, so is that, and it is waited for."""
    print(shlex.join(["musiclab", *arguments]), flush=True)
    process = subprocess.Popen([sys.executable, "-m", "musiclab", *arguments])
    try:
        return process.wait() == 0
    except BaseException:
        process.terminate()
        process.wait()
        raise


def _terminated(received: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + received)  # as shells report it
