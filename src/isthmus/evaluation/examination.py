"""Measuring networks: accuracy on exams, label-free scores on training samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from statistics import fmean

from torch import nn

from isthmus.data.problems import Domain, Exam, Problem
from isthmus.data.tasks import Setting
from isthmus.evaluation.dense import label_free_scores, measure
from isthmus.evaluation.images import measure_images
from isthmus.evaluation.inference import RESULT, Precision, infer
from isthmus.evaluation.metrics import accuracy
from isthmus.names import AVERAGE
from isthmus.nn.classifiers import Classifier
from isthmus.nn.dense import DenseNetwork
from isthmus.selection.scores import SCORES


@dataclass(frozen=True)
class Examination:
    """What was measured at one moment of training.

    Attributes:
        metrics: accuracy in [0, 1] of each classifier on the exam, or of a joint problem the average and that of each
            domain; or those of the problem's tasks; the first is the result; empty without an exam.
        scores: label-free scores of the result on the target's training samples, or means over domains.
        unpredicted: the classes that are given to no training sample of the domain.
    """

    metrics: dict[str, float]
    scores: dict[str, float]
    unpredicted: list[str]


def examine(
    networks: Sequence[nn.Module],
    problem: Problem,
    *,
    others: Mapping[str, nn.Module] = {},
    precision: Precision = nullcontext,
) -> Examination:
    """Measure on the domains that count; the exams' labels go into `metrics` and nowhere else.

    Args:
        networks: predictors, of a joint problem as many as it has domains, else one.
        problem: on whose domains.
        others: classifiers that are measured beside the one network's own, on its features, by name.
        precision: opens the autocast context that they run under.
    """
    if problem.predicted == "pixels":
        (network,) = networks
        assert isinstance(network, DenseNetwork)  # as methods of the setting have
        return _examine_pixels(network, problem, precision)
    if problem.predicted == "images":
        return Examination(*measure_images(networks, problem, precision), [])
    parts = {
        domain.name: _examine(network, others, domain, exam, problem, precision)
        for network, (domain, exam) in zip(networks, problem.measured)
        if isinstance(network, Classifier)
    }
    if problem.setting is not Setting.JOINT:
        (part,) = parts.values()
        return part
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
    network: Classifier,
    others: Mapping[str, nn.Module],
    domain: Domain,
    exam: Exam | None,
    problem: Problem,
    precision: Precision,
) -> Examination:
    transductive = exam is not None and exam.samples is domain.samples  # then one pass serves both
    seen = infer(network, domain.samples, problem.input, others=others if transductive else {}, precision=precision)
    logits = seen[RESULT]
    classes = (domain.labels.task if domain.labels else problem.task).classes
    predicted = set(logits.argmax(dim=1).tolist())
    accuracies = {}
    if exam is not None:
        outputs = seen
        if not transductive:
            outputs = infer(network, exam.samples, problem.input, others=others, precision=precision)
        accuracies = {name: accuracy(answers, exam.labels.values) for name, answers in outputs.items()}
    return Examination(
        accuracies,
        {name: score(logits).item() for name, score in SCORES.items()},
        [name for index, name in enumerate(classes) if index not in predicted],
    )
