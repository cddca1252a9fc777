"""Measuring networks that complete or generate images: metrics on exams, a label-free score on training samples."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from statistics import fmean

from isthmus.data.inputs import ImageInput
from isthmus.data.problems import Domain, Exam, Problem
from isthmus.data.samples import Subset
from isthmus.data.splits import shuffled
from isthmus.data.tasks import Completion
from isthmus.evaluation.completion import completion_errors
from isthmus.evaluation.generation import MOST, distance, generated, generation_errors, network_inputs
from isthmus.evaluation.inference import Precision
from isthmus.names import AVERAGE
from isthmus.nn.autoencoder import AutoEncoder
from isthmus.nn.gans import Generator
from isthmus.selection.scores import ON_TRAINING

Metrics = dict[str, float]

LOOKED_AT = 100
"""Training images of a domain that the label-free score of completion is taken on."""


def measure_images(
    networks: Sequence[object], problem: Problem, precision: Precision = nullcontext
) -> tuple[Metrics, Metrics]:
    """The headline metric on average and of each domain, then the other likewise; and the label-free score.

    Args:
        networks: of each domain.
        problem: of completion or generation.
        precision: opens the autocast context that they run under.
    """
    assert isinstance(problem.input, ImageInput)
    found, training = {}, []
    for network, (domain, exam) in zip(networks, problem.measured):
        if isinstance(network, AutoEncoder):
            on_exam, on_training = _completing(network, domain, exam, problem.input, precision)
        else:
            assert isinstance(network, Generator)
            on_exam, on_training = _generating(network, domain, exam, problem.input, precision)
        found[domain.name] = on_exam
        training.append(on_training)
    metrics: Metrics = {}
    for metric in next(iter(found.values())):  # none without exams
        by_domain = {_head(domain, metric, problem): values[metric] for domain, values in found.items()}
        metrics |= {_head(AVERAGE, metric, problem): fmean(by_domain.values()), **by_domain}
    return metrics, {ON_TRAINING: -fmean(training)}


def directions(problem: Problem) -> dict[str, bool]:
    """Of each metric that `measure_images` gives, whether higher is better."""
    task = problem.image_task
    places = (AVERAGE, *(domain.name for domain in problem.domains))
    if task is None:
        return {}
    return {_head(p, task.metric, problem): task.higher_is_better for p in places} | {
        _head(p, task.besides, problem): True for p in places
    }


def _head(place: str, metric: str, problem: Problem) -> str:
    """The headline metric goes by the place alone."""
    assert problem.image_task is not None
    return place if metric == problem.image_task.metric else f"{place} {metric}"


def _completing(
    network: AutoEncoder, domain: Domain, exam: Exam | None, input: ImageInput, precision: Precision
) -> tuple[Metrics, float]:
    assert isinstance(domain.task, Completion)
    some = Subset(domain.samples, shuffled(len(domain.samples))[:LOOKED_AT])
    on_training = completion_errors(network, some, input, domain.task, precision=precision)
    on_exam = completion_errors(network, exam.samples, input, domain.task, precision=precision) if exam else {}
    return on_exam, on_training[domain.task.metric]


def _generating(
    network: Generator, domain: Domain, exam: Exam | None, input: ImageInput, precision: Precision
) -> tuple[Metrics, float]:
    training = network_inputs(domain.samples, input)
    images = generated(network, MOST, precision=precision)
    on_exam = {}
    if exam is not None:
        real = network_inputs(exam.samples, input, shuffled(len(exam.samples))[:MOST])
        on_exam = generation_errors(images, real, training)
    return on_exam, distance(images, training[shuffled(len(training))[:MOST]])
