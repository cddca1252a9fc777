"""Caltech-101: photographs of objects, 31 to 800 a class (Fei-Fei et al., 2004).

Of the 102 folders two are left out: `BACKGROUND_Google`, which shows no one object, and `Faces_easy`, which shows the
photographs of `Faces` once more, cut out. 100 classes are left.
"""

from __future__ import annotations

from pathlib import Path

import torch

from isthmus.data.benchmarks.places import first_existing, put_there
from isthmus.data.problems import Problem
from isthmus.data.readers.defaults import default_input, typical_side
from isthmus.data.readers.image_files import read_every_image
from isthmus.data.readers.image_folder import ImageFolder, scan_folder
from isthmus.data.recipes import Recipe
from isthmus.data.splits import LabelledSamples, MeasuredOn, shuffled, split_name
from isthmus.data.tasks import Classification, Labels
from isthmus.errors import DataError

PLACES = ("caltech101/101_ObjectCategories", "caltech-101/101_ObjectCategories", "101_ObjectCategories", "caltech101")
LEFT_OUT = ("BACKGROUND_Google", "Faces_easy")
CLASSES = 100
FEW, MOST_MEASURED = 10, 50
"""Training images of each target class, and most images of it in the exam."""
RECIPE = Recipe(epochs=30, steps_per_epoch=100, batch_size=32, lr=0.02)
"""A number of steps, since the target has no more than a few batches."""


def caltech101(root: Path) -> ImageFolder:
    """The images of the 100 classes by file, with their labels; none is decoded.

    Raises:
        DataError: the folder is missing, or classes are.
    """
    place = first_existing(root, PLACES)
    if place is None:
        layout = "`caltech101/CLASS/IMAGE.jpg` (or `caltech-101/101_ObjectCategories/CLASS/IMAGE.jpg`)"
        raise put_there("Caltech-101", root / "caltech101", layout, "https://data.caltech.edu/records/mzrjq-6wc02")
    folder = scan_folder(place)
    classes = tuple(name for name in folder.classes if name not in LEFT_OUT)
    if len(classes) != CLASSES:
        raise DataError(
            f"Expected {CLASSES} class folders besides {' and '.join(LEFT_OUT)} in `{place}`, but got {len(classes)}. "
            f"Get the images anew: which classes are the target's is drawn from all."
        )
    kept = [(path, name) for path, name in zip(folder.paths, folder.class_names) if name in classes]
    return ImageFolder(place, tuple(path for path, _ in kept), classes, tuple(classes.index(name) for _, name in kept))


def caltech101_few(variant: str, data_root: Path, *, measured_on: MeasuredOn = "exam") -> Problem:
    """All images of most classes to ten of each of the others, a random draw of classes that is the same every time.

    Args:
        variant: number of target classes.
        data_root: holds the images.
        measured_on: `validation` is for choosing settings without looking at the exam: it leaves out the exam's classes
            and draws as many others.

    Raises:
        DataError: images that are missing or cannot be read.
    """
    folder, number = caltech101(data_root), int(variant)
    drawn = [folder.classes[place] for place in shuffled(CLASSES).tolist()]
    drawn = drawn if measured_on == "exam" else drawn[number:]
    input, backbone = default_input(typical_side(folder.paths))
    labels = Labels(Classification(folder.classes), torch.tensor(folder.labels))
    photos = LabelledSamples(read_every_image(folder.paths, input, name="caltech101"), labels)

    few, others = photos.of_classes(sorted(drawn[:number])).draw(FEW)
    measured, _ = others.draw(MOST_MEASURED)
    return Problem(
        name=split_name(f"caltech101:{variant}", measured_on),
        domains=(photos.of_classes(sorted(drawn[number:])).domain("many"), few.domain("few")),
        input=input,
        backbone=backbone,
        recipe=RECIPE,
        exams=(measured.exam("few"),),
    )
