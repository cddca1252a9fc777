"""What the distribution alignment loss of DFA does on its own: the paper's synthetic experiment (section 4.1).

The encoder and decoder of table 1 map the target's points so that their mean absolute distance from source points, the
loss (18), falls. No source point belongs to a target point: `fresh` pairs are drawn at every step. With `fixed` ones,
the i-th source point for the i-th target point throughout, the network can learn the pairs by heart.

    python benchmarks/dfa_synthetic.py --out dfa-synthetic.png [--pairs fresh fixed] [--last relu linear] [--steps 3000]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table
from sklearn.datasets import make_blobs, make_moons
from torch import Tensor, nn

from isthmus.functional.prior import decoding_distance

POINTS = 500
WIDE = [[4.0, 2.0], [2.0, 2.0]]
NARROW = [[0.3, 0.2], [0.2, 0.2]]
COLOURS = {"source": "#009E73", "target": "#7b8794", "decoded target": "#0072B2"}

Domains = tuple[Tensor, Tensor]
"""Points (500, 2) of the source and of the target."""


def other_mean(seed: int) -> Domains:
    """Gaussians of one covariance."""
    random = np.random.default_rng(seed)
    return _gaussian(random, 5.0, WIDE), _gaussian(random, 1.0, WIDE)


def other_covariance(seed: int) -> Domains:
    """Gaussians of one mean."""
    random = np.random.default_rng(seed)
    return _gaussian(random, 1.0, NARROW), _gaussian(random, 1.0, WIDE)


def moons(seed: int) -> Domains:
    """One half circle a domain."""
    return _by_label(*make_moons(2 * POINTS, noise=0.1, random_state=seed))


def blobs(seed: int) -> Domains:
    """One isotropic Gaussian a domain, with scikit-learn's standard deviation of 1: the paper names none."""
    return _by_label(*make_blobs(2 * POINTS, centers=[[11, 11], [9, 9]], random_state=seed))


DATA: dict[str, Callable[[int], Domains]] = {
    "Gaussians, other mean": other_mean,
    "Gaussians, other covariance": other_covariance,
    "moons": moons,
    "blobs": blobs,
}


def networks(last: str) -> nn.Sequential:
    """Encoder and decoder of table 1, which ends in a ReLU; `linear` leaves that one out."""
    encoder = [nn.Linear(2, 56), nn.ReLU(), nn.Linear(56, 128), nn.ReLU(), nn.Linear(128, 256), nn.ReLU()]
    decoder = [nn.Linear(256, 128), nn.ReLU(), nn.BatchNorm1d(128), nn.Linear(128, 56), nn.ReLU(), nn.Linear(56, 2)]
    end = [nn.ReLU()] if last == "relu" else []
    return nn.Sequential(*encoder, nn.BatchNorm1d(256), *decoder, *end)


def train(source: Tensor, target: Tensor, *, pairs: str, last: str, steps: int, lr: float, seed: int) -> nn.Sequential:
    """The networks after `steps` updates by Adam on all points, with a rate that falls to zero; to evaluate."""
    torch.manual_seed(seed)
    network = networks(last).train()
    optimizer = torch.optim.Adam(network.parameters(), lr)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        paired = source[torch.randperm(len(source))] if pairs == "fresh" else source
        optimizer.zero_grad()
        decoding_distance(network(target), paired).backward()
        optimizer.step()
        schedule.step()
    return network.eval()


@dataclass(frozen=True)
class Measured:
    """How a cloud of points compares with the source's.

    Attributes:
        means: distance of the means.
        spread: standard deviation (root of the summed variances) over that of the source.
        energy: energy distance, $2 E|X - Y| - E|X - X'| - E|Y - Y'|$: 0 for equal distributions only.
    """

    means: float
    spread: float
    energy: float

    @classmethod
    def of(cls, points: Tensor, source: Tensor) -> Measured:
        x, y = points.double(), source.double()
        means = (x.mean(dim=0) - y.mean(dim=0)).norm()
        spread = (x.var(dim=0).sum() / y.var(dim=0).sum()).sqrt()
        energy = 2 * torch.cdist(x, y).mean() - torch.cdist(x, x).mean() - torch.cdist(y, y).mean()
        return cls(means.item(), spread.item(), energy.item())


def neighbours(points: Tensor, decoded: Tensor) -> float:
    """Correlation of the distances between points with those between what they decode to: 1 for a mere shift."""
    distances = torch.stack([torch.pdist(points.double()), torch.pdist(decoded.double())])
    return torch.corrcoef(distances)[0, 1].item()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="PNG to draw")
    parser.add_argument("--pairs", nargs="+", choices=["fresh", "fixed"], default=["fresh", "fixed"])
    parser.add_argument("--last", nargs="+", choices=["relu", "linear"], default=["relu", "linear"])
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()

    variants = [(pairs, last) for pairs in options.pairs for last in options.last]
    table = Table("data", "pairs", "last layer", title="the target before → after, against the source")
    for heading in (
        "means apart",
        "spread / source's",
        "energy distance",
        "… of unseen points",
        "… of the median",
        "neighbours",
    ):
        table.add_column(heading, justify="right")
    figure = Figure(figsize=(3.2 * len(DATA), 3.1 * len(variants)), layout="constrained")
    grid = figure.subplots(len(variants), len(DATA), squeeze=False)
    for column, (name, draw) in enumerate(DATA.items()):
        source, target = draw(options.seed)
        unseen_source, unseen_target = draw(options.seed + 1)
        before = Measured.of(target, source)
        median = Measured.of(source.median(dim=0).values.expand_as(source), source)
        for axes, (pairs, last) in zip(grid[:, column], variants):
            training = {"steps": options.steps, "lr": options.lr, "seed": options.seed}
            network = train(source, target, pairs=pairs, last=last, **training)
            with torch.no_grad():
                decoded, unseen = network(target), Measured.of(network(unseen_target), unseen_source)
            after = Measured.of(decoded, source)
            table.add_row(
                *(name, pairs, last),
                f"{before.means:.2f} → {after.means:.2f}",
                f"{before.spread:.2f} → {after.spread:.2f}",
                f"{before.energy:.2f} → {after.energy:.2f}",
                *(f"{unseen.energy:.2f}", f"{median.energy:.2f}", f"{neighbours(target, decoded):.2f}"),
            )
            for (label, colour), points in zip(COLOURS.items(), (source, target, decoded)):
                axes.scatter(*points.T, s=5, c=colour, label=label, alpha=0.6, linewidths=0)
            axes.set_title(f"{name}\n{pairs} pairs, last layer {last}", fontsize=9)
            axes.set_aspect("equal", "datalim")
    grid[0][0].legend(fontsize=8, markerscale=3)
    figure.savefig(options.out, dpi=120)
    Console().print(table)


def _gaussian(random: np.random.Generator, mean: float, covariance: list[list[float]]) -> Tensor:
    return torch.from_numpy(random.multivariate_normal([mean, mean], covariance, POINTS)).float()


def _by_label(points: Any, labels: Any) -> Domains:
    tensor = torch.from_numpy(points).float()
    return tensor[labels == 0], tensor[labels == 1]


if __name__ == "__main__":
    main()
