"""What the consistency work of `joint_irls` costs beside the training it is part of, for 8 to 64 domains.

An epoch is a turn of every domain: `STEPS` steps on its task, each followed by the pull. The weighted mean of the other
networks is taken once for every domain: between turns, or, where all are trained together, for all of them between
epochs. There all pairwise distances and weights are taken, too.

    python benchmarks/joint_cost.py
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch
from torch.nn.functional import cross_entropy

from isthmus.data.batches import JointBatch, Labelled
from isthmus.data.tasks import Classification
from isthmus.functional.parameters import running_means
from isthmus.functional.robust import irls_weights, scales
from isthmus.methods.joint.joint_irls import JointIRLS
from isthmus.nn.backbones import build_backbone
from isthmus.nn.classifiers import Classifier

SIZES = (8, 16, 32, 64)
STEPS, BATCH = 20, 32
REPEATS = 7
TASK = Classification(tuple("0123456789"))


def seconds(work: Callable[[], object], times: int) -> float:
    """Least processor time of one call, over several rounds of `times` calls."""
    work()
    rounds = []
    for _ in range(REPEATS):
        started = time.process_time()
        for _ in range(times):
            work()
        rounds.append((time.process_time() - started) / times)
    return min(rounds)


def parts(domains: int) -> dict[str, float]:
    """Seconds of an epoch: the tasks, and the parts of the consistency work; the means in either order."""
    torch.manual_seed(0)
    method = JointIRLS(build_backbone("digits", (1, 28, 28)), *[TASK] * domains, trade_off=0.1)
    for place in range(domains):
        for parameter in method.matched_network(place).parameters():
            parameter.data += 0.01 * torch.randn_like(parameter)
    layers, weights, everyone = method.layers, method.weights, range(domains)
    batch = JointBatch(0, Labelled(torch.randn(BATCH, 1, 28, 28), torch.randint(10, (BATCH,))))
    network = method.predictors()[0]
    assert isinstance(network, Classifier)
    optimizer = torch.optim.SGD(network.parameters(), 0.01, momentum=0.9, fused=True)
    pull = layers.pulls([0], weights, method.trade_off, running_means)[0]

    def task() -> None:
        assert isinstance(batch.samples, Labelled)
        optimizer.zero_grad()
        cross_entropy(network(batch.samples.images), batch.samples.labels).backward()
        optimizer.step()

    def weighting() -> None:
        squared = layers.squared_distances()
        irls_weights(squared, scales(squared))

    return {
        "tasks": domains * STEPS * seconds(task, 5),
        "pulls": domains * STEPS * seconds(lambda: pull.step(lambda parameter: 0.1), 50),
        "in turn": domains * seconds(lambda: layers.pulls([0], weights, method.trade_off, running_means), 5),
        "together": seconds(lambda: layers.pulls(everyone, weights, method.trade_off), 3),
        "weighting": seconds(weighting, 3),
    }


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    torch.set_num_threads(1)
    print("processor time in ms a domain of an epoch; all but the tasks as a share of them, in turn and together")
    for domains in SIZES:
        times = parts(domains)
        if domains == SIZES[0]:
            print("domains", *(f"{name:>9}" for name in times), "  shares")
        extra = times["pulls"] + times["weighting"]
        shares = (f"{(extra + times[order]) / times['tasks']:7.2%}" for order in ("in turn", "together"))
        columns = (f"{1000 * value / domains:9.3f}" for value in times.values())
        print(f"{domains:7d}", *columns, "", *shares, flush=True)


if __name__ == "__main__":
    main()
