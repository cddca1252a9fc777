"""Measuring networks: accuracy on exams, label-free scores on training samples."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from statistics import fmean
from typing import Protocol

from isthmus.data.problems import Domain, Exam, Problem
from isthmus.data.tasks import Setting
from isthmus.evaluation.dense import label_free_scores, measure
from isthmus.evaluation.images import measure_images
from isthmus.evaluation.inference import Network, Precision, infer
from isthmus.evaluation.metrics import accuracy
from isthmus.names import AVERAGE
from isthmus.nn.autoencoder import AutoEncoder
from isthmus.nn.dense import DenseNetwork
from isthmus.nn.gans import Generator
from isthmus.selection.scores import SCORES


class Measured(Network, Protocol):
    """A network, or several side by side."""

    def predictors(self) -> Sequence[Network | DenseNetwork | AutoEncoder | Generator]: ...


@dataclass(frozen=True)
class Examination:
    """What was measured at one moment of training.

    Attributes:
        metrics: accuracy in [0, 1] of each classifier on the exam, or of a joint problem the average and that of each
            domain; or those of the problem's tasks; the first is the result; empty without an exam.
        scores: label-free scores of the first classifier on the target's training samples, or means over domains.
        unpredicted: the classes that are given to no training sample of the domain.
    """

    metrics: dict[str, float]
    scores: dict[str, float]
    unpredicted: list[str]


def examine(networks: Measured, problem: Problem, *, precision: Precision = nullcontext) -> Examination:
    """Measure on the domains that count; the exams' labels go into `metrics` and nowhere else.

    Args:
        networks: of a joint problem as many as it has domains, else one.
        problem: on whose domains.
        precision: opens the autocast context that they run under.
    """
    if problem.setting is Setting.ASSISTED:
        (network,) = networks.predictors()
        assert isinstance(network, DenseNetwork)  # as methods of the setting have
        return _examine_pixels(network, problem, precision)
    if problem.setting is not Setting.JOINT:
        ((domain, exam),) = problem.measured
        return _examine(networks, domain, exam, problem, precision)
    if problem.image_task is not None:
        return Examination(*measure_images(networks.predictors(), problem, precision), [])
    parts = {
        domain.name: _examine(network, domain, exam, problem, precision)
        for network, (domain, exam) in zip(networks.predictors(), problem.measured)
        if not isinstance(network, (DenseNetwork, AutoEncoder, Generator))
    }
    accuracies = {name: value for name, part in parts.items() for value in part.metrics.values()}
    return Examination(
        {AVERAGE: fmean(accuracies.values()), **accuracies} if accuracies else {},
        {score: fmean(part.scores[score] for part in parts.values()) for score in SCORES},
        [f"{label} of {name}" for name, part in parts.items() for label in part.unpredicted],
    )


def _examine_pixels(network: DenseNetwork, problem: Problem, precision: Precision) -> Examination:
    """All metrics of the main tasks, the first one's headline first; those of anchor tasks follow."""
    values: dict[str, float] = {}
    if exam := problem.exam:
        by_task = measure(network, exam.samples, exam.pixels, problem.input, precision=precision)
        order = [task.name for task in problem.tasks.every if task.name in by_task]
        values = {f"{task} {name}": value for task in order for name, value in by_task[task].items()}
    return Examination(values, label_free_scores(network, problem, precision=precision), [])


def _examine(
    network: Network, domain: Domain, exam: Exam | None, problem: Problem, precision: Precision
) -> Examination:
    logits = infer(network, domain.samples, problem.input, precision=precision).result
    classes = (domain.labels.task if domain.labels else problem.task).classes
    predicted = set(logits.argmax(dim=1).tolist())
    accuracies = {}
    if exam is not None:
        outputs = infer(network, exam.samples, problem.input, precision=precision)
        accuracies = {name: accuracy(logits, exam.labels.values) for name, logits in outputs.logits.items()}
    return Examination(
        accuracies,
        {name: score.compute(logits).item() for name, score in SCORES.items()},
        [name for index, name in enumerate(classes) if index not in predicted],
    )
