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
    """Each metric on average and of each domain, the headline's first; and the label-free score.

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
    for place, metric in enumerate(next(iter(found.values()))):  # none without exams
        suffix = f" {metric}" if place else ""  # the headline goes by the domain alone
        by_domain = {f"{domain}{suffix}": values[metric] for domain, values in found.items()}
        metrics |= {f"{AVERAGE}{suffix}": fmean(by_domain.values()), **by_domain}
    return metrics, {ON_TRAINING: -fmean(training)}


def _completing(
    network: AutoEncoder, domain: Domain, exam: Exam | None, input: ImageInput, precision: Precision
) -> tuple[Metrics, float]:
    assert isinstance(domain.task, Completion)
    some = Subset(domain.samples, shuffled(len(domain.samples))[:LOOKED_AT])
    on_training = completion_errors(network, some, input, domain.task, precision=precision)
    on_exam = completion_errors(network, exam.samples, input, domain.task, precision=precision) if exam else {}
    return on_exam, on_training[domain.task.metrics[0].name]


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
