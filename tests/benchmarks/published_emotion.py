"""The plain published recipe for emotion, on the same tracks as musiclab's runs, to compare with.

Team A's multitask CNN: four blocks of 3x3 convolution, batch norm, ReLU and max pooling (32, 64, 128 and 256 maps,
pools 2, 2, 4, 4) on arrays padded to the longest, flattened into one linear layer; sum of three mean squared errors,
Adam with learning rate 1e-3 and weight decay 1e-4, batches of 32, 50 epochs. Nothing else.

    python tests/benchmarks/published_emotion.py ROOT --seeds 0 1 2
"""

import argparse

import torch
from torch import nn

from musiclab.data.datamodules import EmotionDataModule
from musiclab.runs.allocator import keep_freed_memory
from musiclab.tasks.metrics import regression_scores


def padded_parts(root: str) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """The parts that ``configs/emotion_multitask.yaml`` uses, each as one preloaded, padded, scaled tensor."""
    data = EmotionDataModule(root=root, val_fraction=0.2, test_fraction=0.2, batch_size=100_000, shuffle=False)
    data.setup("fit")
    data.setup("test")
    loaders = {"train": data.train_dataloader(), "val": data.val_dataloader(), "test": data.test_dataloader()}
    batches = {name: next(iter(loader)) for name, loader in loaders.items()}
    longest = max(int(batch.lengths.max()) for batch in batches.values())
    parts = {}
    for name, batch in batches.items():
        images = nn.functional.pad(batch.spectrograms, (0, 0, 0, longest - batch.spectrograms.shape[1]))
        parts[name] = images[:, None] / 80 + 1, batch.targets  # dB to 0..1
    return parts


def flattened_cnn(frames: int, features: int, axes: int) -> nn.Module:
    """The network, for images of one size."""
    layers: list[nn.Module] = []
    channels = 1
    for maps, pool in zip((32, 64, 128, 256), (2, 2, 4, 4), strict=True):
        layers += [nn.Conv2d(channels, maps, 3, padding=1), nn.BatchNorm2d(maps), nn.ReLU(), nn.MaxPool2d(pool)]
        channels = maps
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(channels * (frames // 64) * (features // 64), axes))


def train_and_score(parts: dict[str, tuple[torch.Tensor, torch.Tensor]], seed: int, axes: list[str]) -> str:
    """Train on the training part; return a row of scores after the last epoch."""
    torch.manual_seed(seed)
    images, targets = parts["train"]
    network = flattened_cnn(*images.shape[2:], targets.shape[1])
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, weight_decay=1e-4)
    for _ in range(50):
        network.train()
        for indices in torch.randperm(len(images)).split(32):
            loss = (network(images[indices]) - targets[indices]).square().mean(dim=0).sum()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    network.eval()
    row = f"{seed:4}"
    for part in ("val", "test"):
        images, targets = parts[part]
        with torch.no_grad():
            predictions = torch.cat([network(chunk) for chunk in images.split(64)])
        scores = regression_scores(predictions, targets, axes, part)
        row += f"  {part} {scores[f'{part}_spearman']:.3f} ("
        row += " / ".join(f"{scores[f'{part}_spearman_{axis}']:.3f}" for axis in axes) + ")"
    return row


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", help="emotion data set folder")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    arguments = parser.parse_args()
    keep_freed_memory()
    parts = padded_parts(arguments.root)
    axes = EmotionDataModule(root=arguments.root).target_names
    print(f"seed  mean Spearman after the last epoch ({' / '.join(axes)})")
    for seed in arguments.seeds:
        print(train_and_score(parts, seed, axes), flush=True)


if __name__ == "__main__":
    main()
