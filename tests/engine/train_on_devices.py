"""Trains a joint method in one process or several; `test_spread.py` runs it and compares what it leaves.

Usage: python train_on_devices.py METHOD BACKBONE DEVICES OUT [UPDATES | OUT …]; after so many updates the first process
kills itself by signal 9. A folder that holds a killed run is resumed.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from small_problems import IMAGE_PROBLEMS, joint_problem

import isthmus
from isthmus.data.recipes import Recipe
from isthmus.engine.hardware import Hardware
from isthmus.engine.stepping import Stepper
from isthmus.methods import Update

RECIPE = Recipe(epochs=3, batch_size=8, lr=0.01, evaluations=3, optimizer="adam", clip_norm=1.0)


def die_after(updates: int) -> None:
    step, done = Stepper.step, 0

    def counted(self: Stepper, update: Update) -> None:
        nonlocal done
        done += 1
        if done > updates and int(os.environ.get("LOCAL_RANK", "0")) == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        step(self, update)

    Stepper.step = counted  # type: ignore[method-assign]


def train(method: str, backbone: str, devices: int, out: Path) -> None:
    hardware = Hardware(accelerator="cpu", devices=devices, strategy="ddp" if devices > 1 else "auto")
    problem = joint_problem(RECIPE) if backbone == "digits" else IMAGE_PROBLEMS[backbone](RECIPE)
    # With dropout or noise: random state matters.
    own = None if backbone in IMAGE_PROBLEMS else backbone
    isthmus.fit(method, problem, out=out, backbone=own, hardware=hardware, resume=True)


if __name__ == "__main__":
    method, backbone, devices, out, *more = sys.argv[1:]
    if more and more[0].isdigit():
        die_after(int(more.pop()))
    for folder in (out, *more):
        train(method, backbone, int(devices), Path(folder))
