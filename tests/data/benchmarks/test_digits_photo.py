"""The embedded default: what is disjoint, what is drawn anew, and how an image is made."""

from __future__ import annotations

import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor

from isthmus.data.benchmarks.digits_photo import RenderedDigits, digits_photo
from isthmus.data.problems import Problem
from isthmus.data.samples import ArraySamples
from isthmus.data.tasks import Setting


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def problem() -> Problem:
    return digits_photo()


def places(digits: Tensor) -> list[int]:
    """Where scikit-learn has each digit."""
    known = {image.tobytes(): place for place, image in enumerate(load_digits().images)}
    return [known[(16 * digit).double().numpy().tobytes()] for digit in digits]


def rendered(problem: Problem, place: int) -> RenderedDigits:
    samples = problem.domains[place].samples
    assert isinstance(samples, RenderedDigits)
    return samples


def test_it_is_an_unsupervised_problem_with_a_held_out_exam(problem: Problem) -> None:
    assert problem.setting is Setting.UNSUPERVISED
    assert problem.target.labels is None
    assert problem.exam is not None
    assert not problem.exam.transductive
    assert (len(problem.source.samples), len(problem.target.samples), len(problem.exam.samples)) == (700, 600, 1200)


def test_each_digit_is_in_one_split_only(drawn_digits: list[Tensor]) -> None:
    """Of scikit-learn's digits no two are equal: they are known by their pixels."""
    parts = {}
    for measured_on in ("exam", "validation"):
        drawn_digits.clear()
        problem = digits_photo(measured_on=measured_on)  # type: ignore[arg-type]
        trained = [rendered(problem, place).digits for place in (0, 1)]
        (measured,) = (d for d in drawn_digits if not any(d is other for other in trained))
        assert problem.exam is not None
        assert len(measured) == len(problem.exam.samples)
        assert load_digits().target[places(measured)].tolist() == problem.exam.labels.values.tolist()
        parts |= {
            "source": set(places(trained[0])),
            "target": set(places(trained[1])),
            measured_on: set(places(measured)),
        }
    assert {name: len(part) for name, part in parts.items()} == {
        "source": 700,
        "target": 600,
        "exam": 300,
        "validation": 197,
    }
    assert len(set.union(*parts.values())) == 1797


def test_training_draws_anew_and_the_exam_stays(problem: Problem) -> None:
    some = torch.arange(16)
    target = problem.target.samples
    assert not torch.equal(target.read(some, seeded(0)), target.read(some, seeded(1)))
    assert torch.equal(target.read(some, seeded(0)), target.read(some, seeded(0)))
    again = digits_photo()
    assert problem.exam is not None
    assert again.exam is not None
    assert torch.equal(problem.exam.samples.read(some, seeded(0)), again.exam.samples.read(some, seeded(1)))


def test_patches_of_exam_and_training_come_from_other_sides() -> None:
    """With photographs that are black on the left and white on the right third, only one side shows a background."""
    photographs = torch.zeros(1, 40, 90, 3)
    photographs[:, :, 60:] = 1
    nothing = torch.zeros(8, 8, 8)
    left, right = (
        RenderedDigits(nothing, part, background=0.5) for part in (photographs[:, :, :60], photographs[:, :, 60:])
    )
    assert int(left.read(torch.arange(8), seeded(0)).max()) == 0
    assert int(right.read(torch.arange(8), seeded(0)).min()) == 128  # 0.5 · 255, rounded


def test_an_image_is_the_absolute_difference_of_background_and_coloured_digit() -> None:
    full, photographs = torch.ones(4, 8, 8), torch.ones(1, 40, 40, 3)
    images = RenderedDigits(full, photographs, background=0.6, darkest=1.0).read(torch.arange(4), seeded(0))
    centre: Tensor = images[:, :, 8:12, 8:12]
    assert centre.unique().tolist() == [102]  # |0.6 − 1| · 255
    corner = RenderedDigits(0 * full, photographs, background=0.6).read(torch.arange(4), seeded(0))
    assert corner.unique().tolist() == [153]  # 0.6 · 255
    white = RenderedDigits(full).read(torch.arange(4), seeded(0))
    assert white[:, :, 8:12, 8:12].unique().tolist() == [255]


def test_settings_are_chosen_on_other_digits_than_the_exam(problem: Problem) -> None:
    validation = digits_photo(measured_on="validation")
    assert validation.exam is not None
    assert problem.exam is not None
    assert isinstance(validation.exam.samples, ArraySamples)
    assert len(validation.exam.samples) == 4 * 197
    assert validation.name == "digits-photo:validation"
    assert torch.equal(rendered(validation, 1).digits, rendered(problem, 1).digits)
