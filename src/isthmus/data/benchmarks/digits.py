"""The digit problems: MNIST, USPS, MNIST-M and SVHN. The exam is the target's official test set."""

from __future__ import annotations

from pathlib import Path

from isthmus.data.benchmarks.mnist import LabelledImages, mnist
from isthmus.data.benchmarks.mnist_m import mnist_m
from isthmus.data.benchmarks.svhn import svhn
from isthmus.data.benchmarks.usps import usps
from isthmus.data.inputs import ImageInput
from isthmus.data.problems import Domain, Exam, Problem
from isthmus.data.readers.arrays import stored_samples
from isthmus.data.recipes import Recipe
from isthmus.data.splits import shuffled
from isthmus.data.tasks import Classification, Labels

DIGITS = Classification(tuple(str(digit) for digit in range(10)))
GREY = ImageInput.plain(1, 28)
SMALL_MNIST, SMALL_USPS = 2000, 1800
MNIST_M_DIGITS = 10000
"""Training images of MNIST-M that are used; image i shows MNIST's training digit i."""


def mnist_usps(data_root: Path) -> Problem:
    """2000 random MNIST training images to 1800 of USPS: the protocol of MCD and DFA."""
    source, target = draw(mnist(data_root, "train"), SMALL_MNIST), draw(usps(data_root, "train"), SMALL_USPS)
    return _problem("mnist-usps", source, target, usps(data_root, "test"), GREY, recipe(60))


def usps_mnist(data_root: Path) -> Problem:
    """1800 random USPS training images to 2000 of MNIST: the protocol of MCD and DFA."""
    source, target = draw(usps(data_root, "train"), SMALL_USPS), draw(mnist(data_root, "train"), SMALL_MNIST)
    return _problem("usps-mnist", source, target, mnist(data_root, "test"), GREY, recipe(60))


def mnist_usps_full(data_root: Path) -> Problem:
    """All 60000 MNIST training images to all 7291 of USPS."""
    source, target = mnist(data_root, "train"), usps(data_root, "train")
    return _problem("mnist-usps-full", source, target, usps(data_root, "test"), GREY, recipe(20))


def usps_mnist_full(data_root: Path) -> Problem:
    """All 7291 USPS training images to all 60000 of MNIST."""
    source, target = usps(data_root, "train"), mnist(data_root, "train")
    return _problem("usps-mnist-full", source, target, mnist(data_root, "test"), GREY, recipe(20))


def mnist_mnist_m(data_root: Path) -> Problem:
    """The last 50000 MNIST training images to MNIST-M's first 10000.

    Image i of MNIST-M shows the MNIST training digit i. The target takes the first 10000 and the source the others, so
    that no target image has its digit, with a label, in the source. Three channels, as the target is in colour, of 28
    pixels, the size that the digits network was made for: MNIST-M's 32 pixels are squeezed.
    """
    input = ImageInput.plain(3, 28)
    images, labels = mnist(data_root, "train")
    source = LabelledImages(images[MNIST_M_DIGITS:], labels[MNIST_M_DIGITS:])
    target = mnist_m(data_root, "train", input, first=MNIST_M_DIGITS)
    return _problem("mnist-mnist_m", source, target, mnist_m(data_root, "test", input), input, recipe(60))


def svhn_mnist(data_root: Path) -> Problem:
    """All 73257 SVHN training images to all 60000 of MNIST, enlarged to 32 pixels and three channels."""
    source, target, exam = svhn(data_root, "train"), mnist(data_root, "train"), mnist(data_root, "test")
    return _problem("svhn-mnist", source, target, exam, ImageInput.plain(3, 32), recipe(30), backbone="svhn")


def draw(data: LabelledImages, number: int) -> LabelledImages:
    """A random subset without repetition, the same every time; all of the data where it is no larger."""
    order = shuffled(len(data.labels))[:number]
    return LabelledImages(data.images[order], data.labels[order])


def recipe(epochs: int) -> Recipe:
    """SGD as DFA trains on digits, its rate annealed as in DANN; fewer epochs than the papers' 200 to 400.

    The larger the problem, the fewer epochs it needs.
    """
    return Recipe(epochs=epochs, batch_size=128, optimizer="sgd", lr=0.02, weight_decay=5e-4)


def _problem(
    name: str,
    source: LabelledImages,
    target: LabelledImages,
    exam: LabelledImages,
    input: ImageInput,
    recipe: Recipe,
    *,
    backbone: str = "digits",
) -> Problem:
    names = name.removesuffix("-full").split("-")
    samples = [
        stored_samples(part.images, input, name=label)
        for part, label in zip((source, target, exam), (*names, names[1]))
    ]
    return Problem(
        name=name,
        domains=(Domain(names[0], samples[0], Labels(DIGITS, source.labels)), Domain(names[1], samples[1])),
        input=input,
        backbone=backbone,
        recipe=recipe,
        exams=(Exam(names[1], samples[2], Labels(DIGITS, exam.labels)),),
    )
