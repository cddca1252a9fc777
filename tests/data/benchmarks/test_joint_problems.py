"""The built-in joint problems: which images train, which are measured on, and how they look."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor

from isthmus.data.benchmarks.digits_photo import RenderedDigits
from isthmus.data.benchmarks.joint_digits import joint_digits
from isthmus.data.benchmarks.joint_looks import LOOKS, digits_looks
from isthmus.data.problems import Problem
from isthmus.data.samples import Samples
from isthmus.data.tasks import Setting

ROOT = Path(os.environ.get("ISTHMUS_DATA", "/nonexistent"))


def read(samples: Samples, seed: int = 0) -> Tensor:
    return samples.read(torch.arange(len(samples)), torch.Generator().manual_seed(seed))


def rows(images: Tensor) -> set[bytes]:
    return {image.numpy().tobytes() for image in images}


def digits_of(samples: Samples) -> Tensor:
    """The digits behind a look's images, (n, 8, 8) in [0, 1]."""
    rendered = samples if isinstance(samples, RenderedDigits) else vars(samples)["digits"]
    return rendered.digits


@pytest.fixture(scope="module")
def looks() -> Problem:
    return digits_looks()


def test_every_look_has_digits_of_its_own(looks: Problem) -> None:
    assert looks.setting is Setting.JOINT
    assert [domain.name for domain in looks.domains] == [exam.name for exam in looks.exams] == list(LOOKS)
    labels = [domain.labels.values.bincount().tolist() for domain in looks.domains if domain.labels]
    assert labels == [[6] * 10] * 4
    digits = torch.from_numpy(load_digits().images).float() / 16
    place = {digit.numpy().tobytes(): number for number, digit in enumerate(digits)}
    used = [place[d.numpy().tobytes()] for domain in looks.domains for d in digits_of(domain.samples)]
    assert len(set(used)) == 240
    assert load_digits().target[used].tolist() == [
        label for domain in looks.domains if domain.labels for label in domain.labels.values.tolist()
    ]


def test_looks_are_what_they_are_called(looks: Problem) -> None:
    plain, noisy, inverted, photo = (read(domain.samples).float() / 255 for domain in looks.domains)
    left = plain[..., 0], noisy[..., 0], inverted[..., 0]  # a digit is narrower than its image
    assert left[0].mean() < 0.05
    assert left[1].std() > 0.1
    assert left[2].mean() > 0.95
    assert noisy.median() > plain.median()
    grey = [(part[:, 0] - part[:, 1]).abs().max() for part in (plain, inverted, photo)]
    assert grey[0] == grey[1] == 0 < grey[2]
    for domain in looks.domains:  # jitter, noise and colours are drawn anew, and the same for the same seed
        assert not torch.equal(read(domain.samples), read(domain.samples, 1))
        assert torch.equal(read(domain.samples), read(domain.samples))


def test_validation_and_exam_share_no_digit(drawn_digits: list[Tensor]) -> None:
    """Nor does either with training, which is the same for both."""
    measured, trained = {}, {}
    for measured_on in ("exam", "validation"):
        drawn_digits.clear()
        problem = digits_looks(measured_on=measured_on)  # type: ignore[arg-type]
        of_training = [digits_of(domain.samples) for domain in problem.domains]
        others = [d for d in drawn_digits if not any(d is part for part in of_training)]
        assert [len(part) for part in others] == [len(exam.samples) for exam in problem.exams]
        assert all(torch.equal(part, others[0]) for part in others)
        measured[measured_on] = {digit.numpy().tobytes() for digit in others[0]}
        trained[measured_on] = {digit.numpy().tobytes() for part in of_training for digit in part}
    assert problem.name == "digits-looks:validation"
    assert trained["exam"] == trained["validation"]
    assert {name: len(part) for name, part in measured.items()} == {"exam": 700, "validation": 500}
    assert len(trained["exam"] | measured["exam"] | measured["validation"]) == 240 + 700 + 500


@pytest.mark.parametrize("measured_on", ["exam", "validation"])
def test_joint_digits(measured_on: str) -> None:
    missing = [name for name in ("mnist", "usps", "mnist_m", "notmnist") if not (ROOT / name).exists()]
    if missing:
        pytest.skip(f"needs {', '.join(missing)} under the data root, ISTHMUS_DATA")
    problem = joint_digits(ROOT, measured_on=measured_on)  # type: ignore[arg-type]
    assert [domain.name for domain in problem.domains] == ["mnist", "usps", "mnist_m", "notmnist"]
    for domain, exam in zip(problem.domains, problem.exams):
        assert domain.labels is not None
        assert domain.labels.values.bincount().tolist() == [25] * 10
        assert max(exam.labels.values.bincount().tolist()) == 200
        assert not rows(read(domain.samples)) & rows(read(exam.samples)) or domain.name == "notmnist"
    assert [task.classes[0] for task in problem.outputs] == ["0", "0", "0", "A"]  # type: ignore[union-attr]
