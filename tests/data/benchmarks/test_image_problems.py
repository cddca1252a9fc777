"""The built-in problems of images without labels: which images train, and which are measured on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from torch import Tensor

from isthmus.data.benchmarks.completion import KINDS, cifar_completion, digits_completion
from isthmus.data.benchmarks.generation import digits_generation, mnist_generation
from isthmus.data.benchmarks.joint_looks import LOOKS, digits_looks
from isthmus.data.samples import Samples
from isthmus.data.tasks import Completion, Generation, Setting

ROOT = Path(os.environ.get("ISTHMUS_DATA", "/nonexistent"))


def rows(samples: Samples) -> list[bytes]:
    images: Tensor = samples.read(torch.arange(len(samples)), torch.Generator().manual_seed(0))
    return [image.numpy().tobytes() for image in images]


def needs(*names: str) -> None:
    if missing := [name for name in names if not (ROOT / name).exists()]:
        pytest.skip(f"needs {', '.join(missing)} under the data root, ISTHMUS_DATA")


@pytest.mark.parametrize("load", [digits_completion, digits_generation])
@pytest.mark.parametrize("measured_on", ["exam", "validation"])
def test_digits_are_those_of_the_looks_without_labels(load, measured_on) -> None:  # type: ignore[no-untyped-def]
    problem, looks = load(measured_on=measured_on), digits_looks(measured_on=measured_on)
    assert problem.setting is Setting.JOINT
    assert [domain.name for domain in problem.domains] == [exam.name for exam in problem.exams] == list(LOOKS)
    assert all(domain.labels is None for domain in problem.domains)
    assert all(exam.truth is None for exam in problem.exams)
    assert {domain.task for domain in problem.domains} == {Completion(7) if load is digits_completion else Generation()}
    for ours, theirs in zip((*problem.domains, *problem.exams), (*looks.domains, *looks.exams)):
        assert rows(ours.samples) == rows(theirs.samples)


def test_cifar_completion() -> None:
    needs("cifar10")
    problem, validation = cifar_completion(ROOT), cifar_completion(ROOT, measured_on="validation")
    assert [domain.name for domain in problem.domains] == [exam.name for exam in problem.exams] == list(KINDS)
    assert [len(domain.samples) for domain in problem.domains] == [500] * 8
    assert [len(exam.samples) for exam in problem.exams] == [100] * 8
    assert validation.name == "cifar-completion:validation"
    for domain, exam, smaller, held_out in zip(problem.domains, problem.exams, validation.domains, validation.exams):
        everything = set(rows(domain.samples))
        assert not everything & set(rows(exam.samples))
        parts = rows(smaller.samples), rows(held_out.samples)
        assert [len(part) for part in parts] == [400, 100]
        assert sorted(parts[0] + parts[1]) == sorted(rows(domain.samples))


def test_mnist_generation() -> None:
    needs("mnist", "notmnist")
    problem, validation = mnist_generation(ROOT), mnist_generation(ROOT, measured_on="validation")
    assert [domain.name for domain in problem.domains] == ["mnist", "notmnist"]
    assert len(problem.domains[0].samples) == 3000
    assert 8000 <= len(problem.domains[1].samples) <= 10000
    assert [len(exam.samples) for exam in (*problem.exams, *validation.exams)] == [1000] * 4
    for ours, theirs in zip(problem.domains, validation.domains):
        assert rows(ours.samples) == rows(theirs.samples)
    # Some letters of notMNIST are there twice.
    digits = rows(problem.domains[0].samples)
    assert not set(digits) & set(rows(problem.exams[0].samples)) | set(digits) & set(rows(validation.exams[0].samples))
