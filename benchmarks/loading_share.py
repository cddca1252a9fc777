"""What share of a training epoch is spent waiting for data.

python benchmarks/loading_share.py mnist-usps --data-root DIR [--method dann] [--epochs 3] [--out FILE.json]
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from isthmus import Hardware, build_backbone, build_method, load_problem
from isthmus.data.loaders import batches
from isthmus.engine.trainer import Trainer


def loading_seconds(trainer: Trainer, epoch: int) -> float:
    """Time to draw every batch of an epoch, and nothing else."""
    start = epoch * trainer.steps_per_epoch
    stream = batches(trainer.problem, seed=trainer.seed, start=start, stop=start + trainer.steps_per_epoch)
    started = time.perf_counter()
    for _ in stream:
        pass
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("problem", nargs="?", default="mnist-usps")
    parser.add_argument("--data-root", type=Path)
    parser.add_argument("--method", default="dann")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--out", type=Path, help="write the figures here as JSON")
    options = parser.parse_args()

    problem = load_problem(options.problem, options.data_root)
    problem = replace(problem, recipe=replace(problem.recipe, epochs=options.epochs))
    torch.manual_seed(0)
    backbone = build_backbone(problem.backbone, problem.input.shape)
    method = build_method(options.method, backbone, problem.task.num_classes)
    trainer = Trainer(method, problem, Hardware(accelerator="cpu").fabric(), seed=0)
    totals: list[float] = []
    trainer.run(lambda epoch, losses: totals.append(trainer.seconds - sum(totals)))
    loading = [loading_seconds(trainer, epoch) for epoch in range(options.epochs)]
    share = statistics.median(part / total for part, total in zip(loading, totals))
    found: dict[str, Any] = {
        "problem": options.problem,
        "method": options.method,
        "epoch_seconds": round(statistics.median(totals), 4),
        "loading_seconds": round(statistics.median(loading), 4),
        "loading_share": round(share, 4),
    }
    print(json.dumps(found, indent=2))
    if options.out:
        options.out.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
