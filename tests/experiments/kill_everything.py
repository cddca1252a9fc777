"""Trains every registered method, and image tasks, once through, and once killed by signal 9 in mid-epoch and resumed.

Usage: python kill_everything.py OUT; `test_resume.py` compares what is left in OUT.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
from small_problems import IMAGE_RUNS, METHODS, method_and_problem

import isthmus
from isthmus.data.recipes import Recipe
from isthmus.engine.stepping import Stepper
from isthmus.methods import Update
from isthmus.methods.registry import method_entry

RECIPE = Recipe(epochs=4, batch_size=8, lr=0.05, evaluations=4, optimizer="adam")
KILLED_AFTER = {"unsupervised": 7, "inductive": 7, "joint": 20, "assisted": 7}
"""Updates before the kill: with 3 steps an epoch, 8 where domains take turns, after the first epoch's end."""


def train(name: str, out: Path, *, resume: bool = False) -> None:
    method, problem = method_and_problem(name, RECIPE)
    # With dropout: random state matters, as it does to what generators draw.
    backbone = "digits" if problem.backbone.startswith("digits") else None
    isthmus.fit(method, problem, out=out, backbone=backbone, resume=resume)


def train_and_die(name: str, out: Path) -> None:
    step, updates = Stepper.step, 0

    def counted(self: Stepper, update: Update) -> None:
        nonlocal updates
        updates += 1
        if updates > KILLED_AFTER[method_entry(method_and_problem(name)[0]).setting]:
            os.kill(os.getpid(), signal.SIGKILL)
        step(self, update)

    Stepper.step = counted  # type: ignore[method-assign]
    train(name, out)


def main(out: Path) -> None:
    isthmus.Run.report = lambda self: self.folder / "report.html"  # nothing compares it, and drawing takes longest
    for name in (*METHODS, *IMAGE_RUNS):
        child = os.fork()
        if child == 0:
            train_and_die(name, out / f"{name}-killed")
            os._exit(0)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status), name
        assert os.WTERMSIG(status) == signal.SIGKILL, name
        assert not (out / f"{name}-killed" / "result.json").exists()
        train(name, out / f"{name}-killed", resume=True)
        train(name, out / f"{name}-whole")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
