"""Training steps with and without ``torch.compile``, and the optimizer's part of them, fused and not.

The backbones are those of ``configs/genre_*.yaml``, on batches of 16 made-up tracks of 256 frames and 128 rows. The
ways take turns in processes of their own; shown are the median step after the first ones, and how long those took. On
a CPU, one thread is used and processor seconds are counted; on a GPU, those of the clock.

Run it as ``python tests/benchmarks/bench_steps.py [--quick]``.
"""

import argparse
import multiprocessing
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import torch
import yaml
from bench_loading import use_one_thread
from torch import nn

from musiclab import models
from musiclab.runs.allocator import keep_freed_memory
from musiclab.tasks.compilation import compile_backbone

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
BATCH, FRAMES, ROWS, GENRES = 16, 256, 128, 10
DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


def now() -> float:
    """Return seconds: of the processor, or of the clock once the GPU has done what it was asked."""
    if DEVICE.type == "cpu":
        return time.process_time()
    torch.cuda.synchronize()
    return time.perf_counter()


def make_network(network: str) -> tuple[nn.Module, nn.Module]:
    """Return the backbone of a config, and a head."""
    part = yaml.safe_load((CONFIGS / f"genre_{network}.yaml").read_text())["model"]["init_args"]["backbone"]
    backbone = getattr(models, part["class_path"])(ROWS, **part["init_args"]).to(DEVICE)
    return backbone, nn.Linear(backbone.embedding_size, GENRES).to(DEVICE)


def time_steps(network: str, compiled: bool, steps: int) -> tuple[float, float]:
    """Return the seconds of the clock until the third step has ended, and the median seconds of the later ones."""
    keep_freed_memory()
    torch.manual_seed(0)
    backbone, head = make_network(network)
    optimizer = torch.optim.AdamW([*backbone.parameters(), *head.parameters()], fused=True)
    spectrograms = torch.randn(BATCH, FRAMES, ROWS, device=DEVICE)
    lengths = torch.full((BATCH,), FRAMES, device=DEVICE)
    targets = torch.arange(BATCH, device=DEVICE) % GENRES
    started = time.perf_counter()
    embed = compile_backbone(backbone, DEVICE) if compiled else backbone
    first, later = 0.0, []
    for step in range(3 + steps):
        begun = now()
        nn.functional.cross_entropy(head(embed(spectrograms, lengths)), targets).backward()
        optimizer.step()
        optimizer.zero_grad()
        later.append(now() - begun)
        if step == 2:
            first, later = time.perf_counter() - started, []
    return first, statistics.median(later)


def time_optimizer(network: str, fused: bool, steps: int) -> float:
    """Return the median milliseconds of an optimizer's step."""
    backbone, head = make_network(network)
    parameters = [*backbone.parameters(), *head.parameters()]
    optimizer = torch.optim.AdamW(parameters, fused=fused or None)
    for parameter in parameters:
        parameter.grad = torch.randn_like(parameter)
    taken = []
    for _ in range(10 * steps):
        begun = now()
        optimizer.step()
        taken.append(1e3 * (now() - begun))
    return statistics.median(taken)


def main() -> None:
    """Let the ways take turns and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few steps, one round")
    arguments = parser.parse_args()
    steps, rounds = (3, 1) if arguments.quick else (20, 2)
    spawn = multiprocessing.get_context("spawn")
    columns = ("plain", "compiled", "")
    print(f"Steps on {BATCH} tracks of {FRAMES} frames, {DEVICE}\n{'':<38}" + "".join(f"{c:>12}" for c in columns))
    for network in ("cnn", "lstm"):
        taken: dict[bool, list[tuple[float, float]]] = {False: [], True: []}
        for _ in range(rounds):
            for compiled in taken:
                with ProcessPoolExecutor(1, mp_context=spawn, initializer=use_one_thread) as process:
                    taken[compiled].append(process.submit(time_steps, network, compiled, steps).result())
        first, later = ([statistics.median(column) for column in zip(*taken[c], strict=True)] for c in taken)
        rows = {"steps a second": (1 / first[1], 1 / later[1]), "first three steps, s": (first[0], later[0])}
        for title, (plain, compiled_value) in rows.items():
            ratio = f"{compiled_value / plain:>11.2f}x" if title == "steps a second" else ""
            print(f"{network.upper() + ', ' + title:<38}{plain:>12.3g}{compiled_value:>12.3g}{ratio}", flush=True)
    print(f"\n{'AdamW':<38}{'default':>12}{'fused':>12}")
    for network in ("cnn", "lstm"):
        with ProcessPoolExecutor(1, mp_context=spawn, initializer=use_one_thread) as process:
            default, fused = (process.submit(time_optimizer, network, way, steps).result() for way in (False, True))
        print(f"{network.upper() + ', step, ms':<38}{default:>12.3g}{fused:>12.3g}{default / fused:>11.2f}x")


if __name__ == "__main__":
    main()
