"""What only a machine with a GPU shows, in one table and so many minutes at most.

- the tests that need CUDA;
- epochs of ``musiclab fit`` with the networks of ``configs/genre_*.yaml`` on made-up data of the lab's size, as
  configured and at full length: batches made on the GPU or loaded by the CPU, float32 or bf16, compiled or not, one
  setting changed at a time from the first row's; and the plain way of a notebook (``notebook.py``);
- the share of a step's time in which the GPU does nothing;
- soft ranks on the GPU and on the CPU;
- the CNN's batch norm beside the same left to autograd, and beside PyTorch's layers;
- the LSTM's recurrence over packed sequences, layer by layer over padded ones, and PyTorch's own.

The first epoch of a fit, or the first steps, are left out. Each part has a process and a time of its own, so that none
spoils another; rows are written as they are measured, and what there is no time for is said.

musiclab need not be installed. Run it as ``make bench-gpu``, with ``WHEELS=DIR`` if packages are missing that can only
be had from a folder, or as ``python tests/benchmarks/bench_gpu.py [--minutes 8] [--out bench_gpu.txt] [--dry-run]``.
"""

import argparse
import contextlib
import importlib.metadata
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
BOUNDS = {
    "tests": (20, 130),
    "data": (40, 120),
    "configured": (80, 170),
    "share": (40, 80),
    "ranks": (15, 30),
    "norms": (25, 45),
    "recurrences": (25, 60),
    "full": (80, 170),
    "notebook": (45, 75),
}
"""Seconds of each part: what is kept for it of the time of those before it, and what it has at most."""
GRACE = 5.0
"""Seconds between the last moment that a part begins something new, and its end by force."""


class Table:
    """The file and the console."""

    def __init__(self, out: Path) -> None:
        self.out = out
        out.write_text("")

    def write(self, line: str) -> None:
        with self.out.open("a") as stream:
            stream.write(line + "\n")
        print(line, flush=True)


class Part:
    """A part that runs in a process of its own until it ends or its time does."""

    def __init__(self, name: str, seconds: float, arguments: argparse.Namespace, place: Path) -> None:
        self.name, self.log = name, place / f"{name}.log"
        self.begun, self.end = time.time(), time.time() + seconds
        words = [sys.executable, __file__, "--part", name, "--deadline", str(self.end - GRACE)]
        words += ["--out", str(arguments.out), "--place", str(place), *(["--dry-run"] if arguments.dry_run else [])]
        self.process = subprocess.Popen(words, env=environment(place), cwd=place, start_new_session=True)

    def wait(self, table: Table) -> None:
        """Wait until it has ended, and say so if that was not as it should be."""
        try:
            code = self.process.wait(max(0.1, self.end - time.time()))
        except subprocess.TimeoutExpired:
            table.write(f"{self.name}: stopped, since its time was up")
        else:
            if code:
                lines = self.log.read_text(errors="replace").strip().splitlines() if self.log.exists() else []
                table.write(f"{self.name}: ended with {code}: {' / '.join(lines[-2:])[-400:]}")
        self.stop()
        table.write(f"[{self.name}: {time.time() - self.begun:.0f} s]")

    def stop(self) -> None:
        """End it and whatever it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def environment(place: Path) -> dict[str, str]:
    """Return the variables of a part: musiclab is that of this repository, and caches are in one place."""
    paths = [str(REPOSITORY), str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])]
    caches = {
        "MUSICLAB_CACHE": "cache",
        "MPLCONFIGDIR": "matplotlib",
        "TORCHINDUCTOR_CACHE_DIR": "inductor",
        "TRITON_CACHE_DIR": "triton",
        "TMPDIR": "tmp",
    }
    (place / "tmp").mkdir(exist_ok=True)
    places = {name: str(place / folder) for name, folder in caches.items()}
    return {**os.environ, **places, "PYTHONPATH": os.pathsep.join(paths), "PYTHONDONTWRITEBYTECODE": "1"}


def describe() -> str:
    """Return the card and the versions."""
    try:
        query = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
        card = subprocess.run(query, check=True, capture_output=True, text=True, timeout=20).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        card = "no GPU"
    sys.path.append(str(REPOSITORY))
    from musiclab import __version__

    names = ("torch", "pytorch-lightning", "numpy", "triton", "nvidia-cudnn-cu13")
    found = {dist.metadata["Name"]: dist.version for dist in importlib.metadata.distributions()}
    versions = ", ".join(f"{name} {found[name]}" for name in names if name in found)
    python = f"Python {platform.python_version()}, musiclab {__version__}"
    return f"{card}; {os.cpu_count()} processors; {python}, {versions}"


def run_part(arguments: argparse.Namespace) -> None:
    """Run one part in this process, whose output goes to a log but for the rows."""
    console = os.dup(1)
    log = os.open(arguments.place / f"{arguments.part}.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)
    import gpu_parts

    rows = gpu_parts.Rows(arguments.out, console, arguments.deadline)
    setup = gpu_parts.Setup.dry(arguments.place) if arguments.dry_run else gpu_parts.Setup(arguments.place)
    gpu_parts.PARTS[arguments.part](setup, rows)
    rows.close()
    sys.stdout.flush()
    os._exit(0)  # processes that compile or load need not be waited for; whoever started this one ends them


def run_all(arguments: argparse.Namespace, place: Path) -> None:
    """Run the parts one after the other, the tests beside the making of the data."""
    end = time.time() + 60 * arguments.minutes
    table = Table(arguments.out)
    table.write(describe())
    table.write("float32 is PyTorch's own: TF32 in convolutions and cuDNN's recurrences, none in other products")
    tests = None
    names = [name for name in BOUNDS if name in arguments.parts]
    for number, name in enumerate(names):
        kept = sum(BOUNDS[later][0] for later in names[number + 1 :])
        rest = end - time.time() - 2
        seconds = min(BOUNDS[name][1], max(rest - kept, min(rest, BOUNDS[name][0])))
        if seconds < 3 * GRACE:
            table.write(f"\n{name}: left out for want of time")
            continue
        part = Part(name, seconds, arguments, place)
        try:
            if name == "tests":
                tests = part
                continue
            part.wait(table)
            if tests is not None and name == "data":
                tests, part = None, tests
                part.wait(table)
        finally:
            if tests is not part:
                part.stop()
    if tests is not None:
        tests.wait(table)
    minutes = arguments.minutes - (end - time.time()) / 60
    table.write(f"\nDone in {minutes:.1f} minutes; the table is in {arguments.out}")


def main() -> None:
    """Measure everything, or one part."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=8, help="what all parts together may take")
    parser.add_argument("--out", type=Path, default=Path("bench_gpu.txt"), help="where the table goes as well")
    parser.add_argument("--parts", nargs="+", choices=BOUNDS, default=list(BOUNDS), help="which parts")
    parser.add_argument("--place", type=Path, help="folder for data and logs, which is kept; default: a temporary one")
    parser.add_argument("--dry-run", action="store_true", help="the smallest sizes, on the CPU")
    parser.add_argument("--part", choices=BOUNDS, help=argparse.SUPPRESS)
    parser.add_argument("--deadline", type=float, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    arguments.out = arguments.out.absolute()
    if arguments.part:
        run_part(arguments)
    elif arguments.place:
        arguments.place.mkdir(parents=True, exist_ok=True)
        run_all(arguments, arguments.place.absolute())
    else:
        with tempfile.TemporaryDirectory(prefix="musiclab-gpu-", ignore_cleanup_errors=True) as place:
            run_all(arguments, Path(place))


if __name__ == "__main__":
    main()
