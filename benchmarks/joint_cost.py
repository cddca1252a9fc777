"""What the consistency work of `joint_irls` costs beside the training it is part of, for 8 to 64 domains.

An epoch is a turn of every domain: `STEPS` steps on its task, each followed by the pull. Between turns the weighted
mean of the other networks is taken, once for every domain; between epochs all pairwise distances and weights, once.

Usage: python benchmarks/joint_cost.py
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch.nn.functional import cross_entropy

from isthmus.data.batches import JointBatch, Labelled
from isthmus.data.tasks import Classification
from isthmus.functional.robust import irls_weights, scales
from isthmus.methods.joint.joint_irls import JointIRLS
from isthmus.nn.backbones import build_backbone

SIZES = (8, 16, 32, 64)
STEPS, BATCH = 20, 32
REPEATS = 7
TASK = Classification(tuple("0123456789"))


def seconds(work: Callable[[], object], times: int) -> float:
    """Least time of one call, over several rounds of `times` calls."""
    work()
    rounds = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        for _ in range(times):
            work()
        rounds.append((time.perf_counter() - started) / times)
    return min(rounds)


def parts(domains: int) -> dict[str, float]:
    """Seconds of an epoch: the tasks, and the three parts of the consistency work."""
    torch.manual_seed(0)
    method = JointIRLS(build_backbone("digits", (1, 28, 28)), *[TASK] * domains, trade_off=0.1)
    for backbone in method.backbones():
        for parameter in backbone.parameters():
            parameter.data += 0.01 * torch.randn_like(parameter)
    batch = JointBatch(0, Labelled(torch.randn(BATCH, 1, 28, 28), torch.randint(10, (BATCH,))))
    backbone, head = method.network(0)
    optimizer = torch.optim.SGD([*backbone.parameters(), *head.parameters()], 0.01, momentum=0.9, fused=True)
    pull = method.layers.pull(0, method.weights, method.trade_off)

    def task() -> None:
        assert isinstance(batch.samples, Labelled)
        optimizer.zero_grad()
        cross_entropy(head(backbone(batch.samples.images)), batch.samples.labels).backward()
        optimizer.step()

    def weighting() -> None:
        squared = method.layers.squared_distances()
        irls_weights(squared, scales(squared))

    return {
        "tasks": domains * STEPS * seconds(task, 5),
        "pulls": domains * STEPS * seconds(lambda: pull.step(0.1), 50),
        "means": domains * seconds(lambda: method.layers.pull(0, method.weights, method.trade_off), 5),
        "weighting": seconds(weighting, 3),
    }


def main() -> None:
    torch.set_num_threads(1)
    print("domains  tasks ms  pulls ms  means ms  weighting ms  share  ms per domain")
    for domains in SIZES:
        times = parts(domains)
        tasks, *extra = (1000 * value for value in times.values())
        columns = "".join(f"{value:10.2f}" for value in (tasks, *extra))
        print(f"{domains:7d}{columns}{100 * sum(extra) / tasks:10.2f} %{sum(extra) / domains:10.3f}", flush=True)


if __name__ == "__main__":
    main()
