"""Images to be generated: `mnist-generation`, and `digits-generation` of what scikit-learn ships."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from isthmus.data.benchmarks.digits import DIGITS
from isthmus.data.benchmarks.joint_looks import digits_looks
from isthmus.data.benchmarks.mnist import mnist
from isthmus.data.benchmarks.notmnist import LETTERS, has_split, notmnist
from isthmus.data.inputs import ImageInput
from isthmus.data.problems import Domain, Exam, Problem
from isthmus.data.recipes import Recipe
from isthmus.data.splits import MeasuredOn, split_name
from isthmus.data.tasks import Generation

FEW, MANY = 300, 1000
"""Training images of each class of the small domain and, at most, of the large one."""
MEASURED = 100
"""Images of each class that a domain is measured on."""
INPUT = ImageInput.plain(1, 28)
RECIPE = Recipe(
    epochs=20,
    steps_per_epoch=100,
    batch_size=64,
    optimizer="adam",
    lr=1e-3,
    momentum=0.5,
    weight_decay=0.0,
    schedule="constant",
    evaluations=10,
)
"""DCGAN's optimiser at five times its rate: a run is far shorter. Domains, large or small, take as many steps."""


def mnist_generation(data_root: Path, *, measured_on: MeasuredOn = "exam") -> Problem:
    """3000 of MNIST's training digits beside up to 10000 of notMNIST's letters; 1000 others of each to measure by.

    Where only notMNIST's test set is there, training images and those to measure by are drawn from it, 8000 and 1000;
    a note says so.

    Args:
        data_root: holds MNIST and `notmnist/`.
        measured_on: the test sets, or as many images from the rest of the training sets, for choosing settings without
            looking at the exam.

    Raises:
        DataError: files that are missing, cannot be downloaded or are corrupt.
    """
    parted = has_split(data_root, "train")
    digits = mnist(data_root, "train").stored(DIGITS, INPUT, name="mnist")
    letters = notmnist(data_root, "train" if parted else "test").stored(LETTERS, INPUT, name="notmnist")
    exams = {"mnist": mnist(data_root, "test").stored(DIGITS, INPUT, name="mnist").draw(MEASURED)[0]}
    if parted:
        exams["notmnist"] = notmnist(data_root, "test").stored(LETTERS, INPUT, name="notmnist").draw(MEASURED)[0]
    else:
        exams["notmnist"], letters = letters.draw(MEASURED)
    validation = {}
    validation["mnist"], digits = digits.draw(MEASURED)
    validation["notmnist"], letters = letters.draw(MEASURED)
    drawn = {"mnist": digits.draw(FEW)[0], "notmnist": letters.draw(MANY)[0]}
    measured = exams if measured_on == "exam" else validation
    return Problem(
        name=split_name("mnist-generation", measured_on),
        domains=tuple(Domain(name, data.samples, task=Generation()) for name, data in drawn.items()),
        input=INPUT,
        backbone="dcgan:width=16",
        recipe=RECIPE,
        exams=tuple(Exam(name, data.samples) for name, data in measured.items()),
        notes=() if parted else ("notmnist: both training images and exam are from its test set, parted",),
    )


def digits_generation(data_root: Path | None = None, *, measured_on: MeasuredOn = "exam") -> Problem:
    """The digits of `digits-looks` without their labels, 60 in each look, to generate more of.

    Args:
        data_root: not used, everything comes with scikit-learn.
        measured_on: the split that scores are taken on.
    """
    looks = digits_looks(measured_on=measured_on)
    return replace(
        looks,
        name=looks.name.replace("looks", "generation"),
        domains=tuple(Domain(domain.name, domain.samples, task=Generation()) for domain in looks.domains),
        backbone="dcgan:width=8",
        recipe=replace(RECIPE, epochs=40, steps_per_epoch=20, batch_size=30, evaluations=5),
        exams=tuple(Exam(exam.name, exam.samples) for exam in looks.exams),
    )
