"""`joint-digits`: three kinds of digits and one of letters, a few labels of each."""

from __future__ import annotations

from pathlib import Path

from isthmus.data.benchmarks.digits import DIGITS, MNIST_M_DIGITS
from isthmus.data.benchmarks.mnist import LabelledImages, mnist
from isthmus.data.benchmarks.mnist_m import mnist_m
from isthmus.data.benchmarks.notmnist import LETTERS, has_split, notmnist
from isthmus.data.benchmarks.usps import usps
from isthmus.data.inputs import ImageInput
from isthmus.data.problems import Problem
from isthmus.data.recipes import Recipe
from isthmus.data.splits import LabelledSamples, MeasuredOn, split_name

INPUT = ImageInput.plain(3, 28)
"""Three channels, as MNIST-M is in colour; the grey ones have three alike."""
FEW = 25
"""Training images of each class in each domain."""
MEASURED = 200
"""Largest number of images of each class that a domain is measured on."""
RECIPE = Recipe(epochs=120, batch_size=50, lr=0.02, weight_decay=5e-4, schedule="cosine", evaluations=20)


def joint_digits(data_root: Path, *, measured_on: MeasuredOn = "exam") -> Problem:
    """MNIST, USPS, MNIST-M and notMNIST, 25 training images of each class, measured on the official test sets.

    No digit is in two training sets: MNIST-M's training image i shows MNIST's training digit i, so that MNIST's are
    drawn from behind those. Where only notMNIST's test set is there, its training images are drawn from it, and the
    others are the exam; a note says so.

    Args:
        data_root: holds MNIST, USPS, `mnist_m/` and `notmnist/`.
        measured_on: up to 200 images of each class of the test sets, or as many validation images from the rest of the
            training sets, for choosing settings without looking at the exam.

    Raises:
        DataError: files that are missing, cannot be downloaded or are corrupt.
    """
    letters = has_split(data_root, "train")
    behind = LabelledImages(*(part[MNIST_M_DIGITS:] for part in mnist(data_root, "train")))
    train = {
        "mnist": _labelled(behind, "mnist"),
        "usps": _labelled(usps(data_root, "train"), "usps"),
        "mnist_m": _labelled(mnist_m(data_root, "train", INPUT, first=MNIST_M_DIGITS), "mnist_m"),
        "notmnist": _labelled(notmnist(data_root, "train" if letters else "test"), "notmnist"),
    }
    few = {name: data.draw(FEW) for name, data in train.items()}
    if measured_on == "validation":
        measured = {name: others.draw(MEASURED)[0] for name, (_, others) in few.items()}
    else:
        test = {
            "mnist": _labelled(mnist(data_root, "test"), "mnist"),
            "usps": _labelled(usps(data_root, "test"), "usps"),
            "mnist_m": _labelled(mnist_m(data_root, "test", INPUT), "mnist_m"),
            "notmnist": _labelled(notmnist(data_root, "test"), "notmnist") if letters else few["notmnist"][1],
        }
        measured = {name: data.draw(MEASURED)[0] for name, data in test.items()}
    return Problem(
        name=split_name("joint-digits", measured_on),
        domains=tuple(data.domain(name) for name, (data, _) in few.items()),
        input=INPUT,
        backbone="digits",
        recipe=RECIPE,
        exams=tuple(data.exam(name) for name, data in measured.items()),
        notes=() if letters else ("notmnist: both training images and exam are from its test set, parted",),
    )


def _labelled(data: LabelledImages, name: str) -> LabelledSamples:
    return data.stored(LETTERS if name == "notmnist" else DIGITS, INPUT, name=name)
