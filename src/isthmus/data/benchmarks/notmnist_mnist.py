"""`notmnist-mnist`: letters with many labels, digits with few."""

from __future__ import annotations

from pathlib import Path

from isthmus.data.benchmarks.digits import DIGITS, GREY
from isthmus.data.benchmarks.mnist import mnist
from isthmus.data.benchmarks.notmnist import LETTERS, has_split, notmnist
from isthmus.data.problems import Problem
from isthmus.data.recipes import Recipe
from isthmus.data.splits import MeasuredOn, split_name

VALIDATION = 200
"""Validation images of each digit."""
RECIPE = Recipe(epochs=30, steps_per_epoch=100, batch_size=32, lr=0.02, weight_decay=5e-4)
"""A number of steps, since the target has no more than a few batches."""


def notmnist_mnist(variant: str, data_root: Path, *, measured_on: MeasuredOn = "exam") -> Problem:
    """All letters of notMNIST's training set, or of its test set where only that is there, to a few of MNIST's digits.

    Args:
        variant: number of training images of each digit, drawn from MNIST's training set.
        data_root: holds `notmnist/` and MNIST.
        measured_on: MNIST's test set, or validation images from the rest of its training set, for choosing settings
            without looking at the exam.

    Raises:
        DataError: files that are missing, cannot be downloaded or are corrupt.
    """
    split = "train" if has_split(data_root, "train") else "test"
    letters = notmnist(data_root, split).stored(LETTERS, GREY, name="notmnist")
    few, others = mnist(data_root, "train").stored(DIGITS, GREY, name="mnist").draw(int(variant))
    if measured_on == "exam":
        measured = mnist(data_root, "test").stored(DIGITS, GREY, name="mnist")
    else:
        measured, _ = others.draw(VALIDATION)
    return Problem(
        name=split_name(f"notmnist-mnist:{variant}", measured_on),
        domains=(letters.domain("notmnist"), few.domain("mnist")),
        input=GREY,
        backbone="digits",
        recipe=RECIPE,
        exams=(measured.exam("mnist"),),
        notes=(f"source: notMNIST's {split} set, {len(letters.labels)} images",),
    )
