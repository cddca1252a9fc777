"""What a method's step costs over a plain supervised step of the same network on the same images.

The plain step is hand-written PyTorch: cross-entropy, backward, one fused optimiser; with one forward pass
of all images, and with one for each domain, as methods need them.
Methods take their steps as the engine does. All are timed in turn, round by round, so that a drift of the machine's
speed hits all alike; ratios are medians over rounds of the ratio within a round.

    python benchmarks/step_cost.py [--batch-size 128] [--rounds 30] [--precision bf16-mixed] [--out FILE.json]
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import torch
from lightning.fabric import Fabric
from rich.console import Console
from rich.table import Table
from torch import nn
from torch.nn.functional import cross_entropy

from isthmus.data.batches import Labelled, Layout, Unlabelled, UnsupervisedBatch
from isthmus.data.recipes import Recipe
from isthmus.engine.stepping import Stepper, make_optimizer
from isthmus.methods import build_method, method_entries
from isthmus.nn.backbones import Backbone, build_backbone
from isthmus.nn.classifiers import classifier

RECIPE = Recipe(optimizer="sgd", lr=0.01, backbone_lr_factor=1.0, schedule="constant")
WARM_UP = 3
ONE_PASS, TWO_PASSES = "plain, one pass", "plain, two passes"


def plain_step(
    backbone: Backbone,
    classes: int,
    parts: list[Labelled],
    autocast: Callable[[], AbstractContextManager[object]],
) -> Callable[[], None]:
    """A supervised step on all images, a forward pass for each part, as anyone would write it."""
    network = nn.Sequential(backbone, classifier(backbone, classes)).to(memory_format=torch.channels_last).train()
    optimizer = make_optimizer(RECIPE, list(network.parameters()), RECIPE.lr)

    def step() -> None:
        optimizer.zero_grad()
        with autocast():
            losses = [cross_entropy(network(part.images), part.labels) for part in parts]
        torch.stack(losses).mean().backward()
        optimizer.step()

    return step


def method_step(
    name: str, backbone: Backbone, classes: int, batch: UnsupervisedBatch, fabric: Fabric
) -> Callable[[], None]:
    """A method's step, as the engine takes it."""
    method = build_method(name, backbone, classes).to(memory_format=torch.channels_last).train()
    stepper = Stepper(method, (), RECIPE, fabric)

    def step() -> None:
        updates = method.steps(batch, 0.5)
        while True:
            with fabric.autocast():
                update = next(updates, None)
            if update is None:
                return
            stepper.step(update)

    return step


def measure(steps: dict[str, Callable[[], None]], rounds: int) -> dict[str, list[float]]:
    """Seconds of every step, round by round."""
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for round_number in range(-WARM_UP, rounds):
        for name, step in steps.items():
            started = time.perf_counter()
            step()
            if round_number >= 0:
                seconds[name].append(time.perf_counter() - started)
    return seconds


def ratio(values: list[float], plain: list[float]) -> float:
    """Median over rounds of the ratio within a round."""
    return round(statistics.median(value / other for value, other in zip(values, plain)), 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", default="digits")
    parser.add_argument("--shape", type=int, nargs=3, default=(1, 28, 28), metavar=("CHANNELS", "HEIGHT", "WIDTH"))
    parser.add_argument("--batch-size", type=int, default=128, help="images of each domain")
    parser.add_argument("--classes", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--precision", default="32-true")
    parser.add_argument(
        "--methods", nargs="+", default=[e.name for e in method_entries() if e.setting == "unsupervised"]
    )
    parser.add_argument("--out", type=Path, help="write the figures here as JSON")
    options = parser.parse_args()

    torch.manual_seed(0)
    fabric = Fabric(accelerator="cpu", devices=1, precision=options.precision)
    layout = Layout(torch.device("cpu"), channels_last=True)
    images = [torch.randn(options.batch_size, *options.shape) for _ in range(2)]
    labels = [torch.randint(options.classes, (options.batch_size,)) for _ in range(2)]
    batch = UnsupervisedBatch(Labelled(images[0], labels[0]), Unlabelled(images[1])).to(layout)

    def backbone() -> Backbone:
        return build_backbone(options.backbone, tuple(options.shape))

    domains = [Labelled(*pair).to(layout) for pair in zip(images, labels)]
    together = [Labelled(torch.cat(images), torch.cat(labels)).to(layout)]
    steps = {
        ONE_PASS: plain_step(backbone(), options.classes, together, fabric.autocast),
        TWO_PASSES: plain_step(backbone(), options.classes, domains, fabric.autocast),
    }
    for name in options.methods:
        steps[name] = method_step(name, backbone(), options.classes, batch, fabric)
    seconds = measure(steps, options.rounds)

    rows = {
        name: {
            "milliseconds": round(1e3 * statistics.median(values), 2),
            "over_one_pass": ratio(values, seconds[ONE_PASS]),
            "over_two_passes": ratio(values, seconds[TWO_PASSES]),
        }
        for name, values in seconds.items()
    }
    title = f"{options.batch_size} + {options.batch_size} images, {options.precision}"
    table = Table("step", "median ms", f"over {ONE_PASS}", f"over {TWO_PASSES}", title=title)
    for name, row in rows.items():
        table.add_row(
            name, f"{row['milliseconds']:.1f}", f"{row['over_one_pass']:.2f}", f"{row['over_two_passes']:.2f}"
        )
    Console().print(table)
    if options.out:
        machine = {"threads": torch.get_num_threads(), "processor": platform.machine(), "torch": torch.__version__}
        content = {"options": {**vars(options), "out": None}, "machine": machine, "steps": rows}
        options.out.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
