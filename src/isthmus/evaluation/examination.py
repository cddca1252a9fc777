"""Measuring a network: accuracy on the exam, label-free scores on the unlabelled target."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass

from isthmus.data.problems import Problem
from isthmus.evaluation.inference import Network, Precision, infer
from isthmus.evaluation.metrics import accuracy
from isthmus.selection.scores import SCORES


@dataclass(frozen=True)
class Examination:
    """What was measured at one moment of training.

    Attributes:
        accuracy: of each classifier on the exam, in [0, 1]; empty without an exam.
        scores: label-free scores of the first classifier on the target's training samples.
        unpredicted: indices of the classes that the first classifier gives to no target training sample.
    """

    accuracy: dict[str, float]
    scores: dict[str, float]
    unpredicted: list[int]


def examine(network: Network, problem: Problem, *, precision: Precision = nullcontext) -> Examination:
    """Measure a network; the exam's labels go into `accuracy` and nowhere else."""
    target = infer(network, problem.target.samples, problem.input, precision=precision).result
    predicted = set(target.argmax(dim=1).tolist())
    accuracies = {}
    if problem.exam is not None:
        outputs = infer(network, problem.exam.samples, problem.input, precision=precision)
        accuracies = {name: accuracy(logits, problem.exam.labels.values) for name, logits in outputs.logits.items()}
    return Examination(
        accuracies,
        {name: score.compute(target).item() for name, score in SCORES.items()},
        [index for index in range(problem.task.num_classes) if index not in predicted],
    )
