"""Cost matrices between categories, all pairs in blocks against a loop over pairs with the same mathematics.

For optimal transport there are two loops: our own, which is as lean as it can be, and one over POT's Sinkhorn.

Both are timed in turn, round by round, so that a drift of the machine's speed hits both alike; ratios are medians over
rounds. Memory is what a process of its own takes beyond its arguments at most, as the operating system counts it.

    OMP_NUM_THREADS=1 python benchmarks/category_costs.py [--classes 78 22] [--samples 100] [--rounds 3]
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import ot
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from isthmus.functional.category_blocks import MEMORY, CategorySamples
from isthmus.functional.category_costs import category_costs
from isthmus.functional.kernel_power import kernel_weights
from isthmus.functional.kernels import mean_squared_distance, mmd

KERNELS, SHARPNESS, TOLERANCE, CHUNK = 5, 30.0, 1e-4, 10
Pair = Callable[[Tensor, Tensor], Tensor]


class Data(NamedTuple):
    features_s: Tensor
    labels_s: Tensor
    features_t: Tensor
    labels_t: Tensor


def linear(x: Tensor, y: Tensor) -> Tensor:
    return mmd(x, y, kernels=KERNELS, estimate="linear") / KERNELS


def linear_power(x: Tensor, y: Tensor) -> Tensor:
    gamma = mean_squared_distance(torch.cat([x, y]))
    ladder = gamma * 2.0 ** (torch.arange(KERNELS) - KERNELS // 2)
    x1, x2, y1, y2 = x[0::2], x[1::2], y[0::2], y[1::2]

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        return torch.exp(-(a - b).square().sum(1) / ladder[:, None])

    terms = kernel(x1, x2) + kernel(y1, y2) - kernel(x1, y2) - kernel(x2, y1)
    found = terms.mean(1)
    return kernel_weights(found, torch.cov(terms)) @ found


def quadratic(x: Tensor, y: Tensor) -> Tensor:
    return mmd(x, y, kernels=KERNELS, estimate="unbiased") / KERNELS


def transport(x: Tensor, y: Tensor) -> Tensor:
    cost = (x.square().sum(1)[:, None] + y.square().sum(1) - 2 * x @ y.T).clamp(min=0)
    kernel = torch.exp(-SHARPNESS * cost / cost.max())
    p, q, u = torch.full((len(x),), 1 / len(x)), torch.full((len(y),), 1 / len(y)), torch.ones(len(x))
    unmet, iteration = 1.0, 0
    while unmet > TOLERANCE:
        v = q / (u @ kernel)
        u = p / (kernel @ v)
        iteration += 1
        if iteration % CHUNK == 0:
            unmet = float((v * (u @ kernel) - q).abs().sum())
    return (u[:, None] * kernel * v * cost).sum()


def transport_by_pot(x: Tensor, y: Tensor) -> Tensor:
    cost = ot.dist(x, y)
    p, q = torch.full((len(x),), 1 / len(x)), torch.full((len(y),), 1 / len(y))
    plan = ot.sinkhorn(p, q, cost / cost.max(), 1 / SHARPNESS, stopThr=TOLERANCE)
    return (plan * cost).sum()


METRICS: dict[str, tuple[Pair, dict[str, str]]] = {
    "linear, uniform weights": (linear, {"metric": "mkmmd", "weights": "uniform"}),
    "linear, weights of power": (linear_power, {"metric": "mkmmd"}),
    "quadratic, uniform weights": (quadratic, {"metric": "mkmmd_quadratic", "weights": "uniform"}),
    "optimal transport": (transport, {"metric": "ot"}),
    "optimal transport, POT in the loop": (transport_by_pot, {"metric": "ot"}),
}


def looped(data: Data, pair: Pair, classes: tuple[int, int]) -> Tensor:
    source, target = (
        [features[labels == label] for label in range(number)]
        for features, labels, number in zip(data[0::2], data[1::2], classes)
    )
    return torch.stack([torch.stack([pair(x, y) for y in target]) for x in source]).clamp(min=0)


def batched(data: Data, options: dict[str, str], classes: tuple[int, int], memory: int) -> Tensor:
    source, target = (CategorySamples(*part, number) for part, number in zip((data[:2], data[2:]), classes))
    return category_costs(source, target, memory=memory, **options)  # type: ignore[arg-type]


def synthetic(classes: tuple[int, int], samples: int, width: int) -> Data:
    """Clusters after a ReLU, in an order without classes."""
    random = torch.Generator().manual_seed(0)
    parts: list[Tensor] = []
    for number in classes:
        labels = torch.arange(number).repeat_interleave(samples)[torch.randperm(number * samples, generator=random)]
        features = torch.randn(number * samples, width, generator=random)
        for label in range(number):  # one by one: the memory that making the data takes would hide what is measured
            features[labels == label] += torch.randn(width, generator=random) / 2
        parts += [features.relu_(), labels]
    return Data(*parts)


def peak(name: str, in_loop: bool, classes: tuple[int, int], samples: int, width: int, memory: int) -> float:
    """Mebibytes that a process of its own takes on top of the data."""
    torch.set_num_threads(1)
    data, (pair, options) = synthetic(classes, samples, width), METRICS[name]
    few = synthetic((2, 2), 20, 64)
    looped(few, pair, (2, 2)) if in_loop else batched(few, options, (2, 2), memory)  # loads what is loaded at first use
    Path("/proc/self/clear_refs").write_text("5")  # the peak so far is forgotten
    before = resident("VmRSS")
    looped(data, pair, classes) if in_loop else batched(data, options, classes, memory)
    return resident("VmHWM") - before


def resident(what: str) -> float:
    """Mebibytes of this process in memory, now (`VmRSS`) or at most (`VmHWM`), as Linux counts them."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(what)) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--classes", type=int, nargs=2, default=(78, 22))
    parser.add_argument("--samples", type=int, default=100, help="of each class")
    parser.add_argument("--features", type=int, default=4096)
    parser.add_argument("--memory", type=int, default=MEMORY, help="bytes")
    parser.add_argument("--metrics", nargs="+", choices=tuple(METRICS), default=tuple(METRICS))
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()

    classes = tuple(options.classes)
    data = synthetic(classes, options.samples, options.features)
    table = Table(title=f"{classes[0]} × {classes[1]} categories of {options.samples} × {options.features}")
    for heading in ("", "loop s", "blocks s", "loop / blocks", "loop MiB", f"blocks MiB (of {options.memory >> 20})"):
        table.add_column(heading, justify="right" if heading else "left")
    for name in options.metrics:
        pair, chosen = METRICS[name]
        seconds: list[tuple[float, float]] = []
        for _ in range(options.rounds):
            started = time.perf_counter()
            expected = looped(data, pair, classes)
            between = time.perf_counter()
            found = batched(data, chosen, classes, options.memory)
            seconds.append((between - started, time.perf_counter() - between))
            torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)
        with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
            arguments = classes, options.samples, options.features, options.memory
            peaks = [pool.apply(peak, (name, in_loop, *arguments)) for in_loop in (True, False)]
        ratio = statistics.median(slow / fast for slow, fast in seconds)
        medians = [statistics.median(column) for column in zip(*seconds)]
        table.add_row(
            name, *(f"{s:.2f}" for s in medians), f"{ratio:.1f}", *(f"{mebibytes:.0f}" for mebibytes in peaks)
        )
    Console().print(table)


if __name__ == "__main__":
    main()
