"""Sharing with as many steps for shared weights as for each domain's own.

`share_all` and its kin take a step on every batch: what n domains share takes n times the steps of a network alone.
Here a step descends a batch of every domain at once, so that the weights of all systems take the same number, and a
comparison with `isolated`, `l2_reg` and `joint_irls` at the same epochs is one of what is shared:

    python benchmarks/equal_steps.py cifar-completion OUT --seeds 5 --data-root DIR
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import reduce
from operator import and_
from pathlib import Path

from rich.console import Console

import isthmus
from isthmus.data.batches import JointBatch
from isthmus.methods import register
from isthmus.methods.base import Stage, Update
from isthmus.methods.joint.hard_sharing import HardSharing
from isthmus.methods.joint.pretrain_finetune import PretrainFinetune
from isthmus.report.tables import summary_table

Steps = Callable[[JointBatch, float], Iterator[Update]]


def at_once(steps: Steps, domains: int) -> Steps:
    """The same steps, waiting for a batch of every domain."""
    waiting: list[JointBatch] = []

    def wait(batch: JointBatch, progress: float) -> Iterator[Update]:
        assert all(other.domain != batch.domain for other in waiting), "domains of one size take turns evenly"
        waiting.append(batch)
        if len(waiting) == domains:
            turns = [steps(each, progress) for each in waiting]
            waiting.clear()
            for updates in zip(*turns, strict=True):
                yield reduce(and_, updates)

    return wait


@register("at_once", summary="hard sharing of the first layers, all domains in every step")
class AtOnce(HardSharing):
    """`isolated`, `l2_reg_25`, `l2_reg_50` and `share_all` by their share."""

    def stages(self) -> tuple[Stage[JointBatch], ...]:
        return (Stage("train", at_once(self.steps, self.domains)),)


@register("pretrain_at_once", summary="one network on all domains in every step, then a copy of it for each alone")
class PretrainAtOnce(PretrainFinetune):
    """`pretrain_finetune`."""

    def stages(self) -> tuple[Stage[JointBatch], ...]:
        pretrain, finetune = super().stages()
        return replace(pretrain, steps=at_once(pretrain.steps, self.domains)), finetune


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("problem")
    parser.add_argument("out", type=Path)
    parser.add_argument("--data-root", type=Path)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--evaluations", type=int, default=1)
    parser.add_argument(
        "--methods",
        nargs="+",
        default=["at_once:shared=0.25", "at_once:shared=0.5", "at_once:shared=1", "pretrain_at_once"],
    )
    options = parser.parse_args()

    problem = isthmus.load_problem(options.problem, options.data_root)
    recipe = replace(problem.recipe, evaluations=options.evaluations)
    done = isthmus.compare(
        options.methods, problem, recipe=recipe, seeds=options.seeds, out=options.out, resume=options.out.exists()
    )
    Console().print(summary_table(done.results))


if __name__ == "__main__":
    main()
