"""Images to be completed: `cifar-completion`, and `digits-completion` of what scikit-learn ships."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from isthmus.data.benchmarks.cifar10 import OBJECTS, cifar10
from isthmus.data.benchmarks.joint_looks import digits_looks
from isthmus.data.inputs import ImageInput
from isthmus.data.problems import Domain, Exam, Problem
from isthmus.data.recipes import Recipe
from isthmus.data.splits import LabelledSamples, MeasuredOn, split_name
from isthmus.data.tasks import Completion

KINDS = ("airplane", "bird", "automobile", "truck", "cat", "dog", "deer", "horse")
"""Of CIFAR-10's ten classes those that come in pairs, as the paper's eight do."""
TRAINING, MEASURED = 500, 100
"""Images of each class, as in the paper."""
INPUT = ImageInput.plain(3, 32)
RECIPE = Recipe(
    epochs=60, batch_size=32, optimizer="adam", lr=2e-3, weight_decay=0.0, schedule="cosine", evaluations=20
)


def cifar_completion(data_root: Path, *, measured_on: MeasuredOn = "exam") -> Problem:
    """Eight classes of CIFAR-10 as eight domains, 500 training and 100 test images of each, holes of 11 pixels.

    Args:
        data_root: holds CIFAR-10.
        measured_on: 100 test images of each class; or 100 training images of each, held out of training, for choosing
            settings without looking at the exam.

    Raises:
        DataError: files that are missing or corrupt.
    """
    train, measured = (_drawn(data_root, split) for split in ("train", "test"))
    if measured_on == "validation":
        parted = {kind: data.draw(MEASURED) for kind, data in train.items()}
        train = {kind: others for kind, (_, others) in parted.items()}
        measured = {kind: held_out for kind, (held_out, _) in parted.items()}
    return Problem(
        name=split_name("cifar-completion", measured_on),
        domains=tuple(Domain(kind, data.samples, task=Completion(11)) for kind, data in train.items()),
        input=INPUT,
        backbone="autoencoder:width=8",
        recipe=RECIPE,
        exams=tuple(Exam(kind, data.samples) for kind, data in measured.items()),
    )


def digits_completion(data_root: Path | None = None, *, measured_on: MeasuredOn = "exam") -> Problem:
    """The digits of `digits-looks` without their labels, holes of 7 of 20 pixels.

    Args:
        data_root: not used, everything comes with scikit-learn.
        measured_on: the split that scores are taken on.
    """
    looks = digits_looks(measured_on=measured_on)
    return replace(
        looks,
        name=looks.name.replace("looks", "completion"),
        domains=tuple(Domain(domain.name, domain.samples, task=Completion(7)) for domain in looks.domains),
        backbone="autoencoder:width=16",
        recipe=replace(looks.recipe, steps_per_epoch=10, optimizer="adam", lr=2e-3, weight_decay=0.0, evaluations=10),
        exams=tuple(Exam(exam.name, exam.samples) for exam in looks.exams),
    )


def _drawn(data_root: Path, split: str) -> dict[str, LabelledSamples]:
    """The images of each kind: the first so many of a draw that is the same every time."""
    everything = cifar10(data_root, split).stored(OBJECTS, INPUT, name=split)
    chosen, _ = everything.draw(TRAINING if split == "train" else MEASURED)
    places = {kind: OBJECTS.classes.index(kind) for kind in KINDS}
    return {kind: chosen.rows((chosen.labels.values == place).nonzero().flatten()) for kind, place in places.items()}
