"""Trains `joint_irls` with its networks spread over processes; `test_spread.py` runs it and compares what it leaves.

Usage: python spread_networks.py DEVICES OUT [UPDATES | OUT …]; after so many updates the first process kills itself by
signal 9. A folder that holds a killed run is resumed.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from small_problems import joint_problem

import isthmus
from isthmus.data.recipes import Recipe
from isthmus.engine.hardware import Hardware
from isthmus.engine.stepping import Stepper
from isthmus.methods import Update

METHOD = "joint_irls:order=together,trade_off=0.5,initial_share=0.25"
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


def train(devices: int, out: Path) -> None:
    hardware = Hardware(accelerator="cpu", devices=devices, strategy="ddp" if devices > 1 else "auto")
    # With dropout: random state matters.
    isthmus.fit(METHOD, joint_problem(RECIPE), out=out, backbone="digits", hardware=hardware, resume=True)


if __name__ == "__main__":
    devices, out, *more = sys.argv[1:]
    if more and more[0].isdigit():
        die_after(int(more.pop()))
    for folder in (out, *more):
        train(int(devices), Path(folder))
