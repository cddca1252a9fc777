"""Trains every registered method, and image tasks, for two steps and saves the weights; `test_processes.py` runs it.

Usage: python train_everything.py OUT DEVICES
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parents[1]))
from small_problems import POLICIES, method_and_problem

from isthmus.data.recipes import Recipe
from isthmus.engine.hardware import Hardware
from isthmus.engine.trainer import Trainer
from isthmus.experiments.networks import backbone_for
from isthmus.methods import build_method

RECIPE = Recipe(epochs=1, steps_per_epoch=2, batch_size=8, lr=0.1, momentum=0.0, weight_decay=0.0, schedule="constant")


def main(out: Path, devices: int) -> None:
    strategy = "ddp" if devices > 1 else "auto"
    fabric = Hardware(accelerator="cpu", devices=devices, strategy=strategy, precision="64-true").fabric()
    ends = {}
    for name, batch_norm in POLICIES:
        chosen, problem = method_and_problem(name, replace(RECIPE, batch_norm=batch_norm))  # type: ignore[arg-type]
        torch.manual_seed(0)
        method = build_method(chosen, backbone_for(problem), *problem.outputs)
        Trainer(method, problem, fabric, seed=0).run(lambda epoch, losses: None)
        ends[f"{name}-{batch_norm}"] = method.state_dict()
    torch.save(ends, out / f"{devices}-{fabric.global_rank}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
