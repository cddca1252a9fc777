"""`fine-grained`: kinds of birds, dogs, flowers, cars and aircraft, the joint method's classification experiment."""

from __future__ import annotations

from pathlib import Path

import torch

from isthmus.data.benchmarks.fine_grained_lists import SETS, Photograph, PhotographSet
from isthmus.data.inputs import ImageInput
from isthmus.data.problems import Problem
from isthmus.data.readers.image_files import MEMORY_BUDGET, fits_in_memory, read_every_image
from isthmus.data.readers.labels import class_labels
from isthmus.data.recipes import Recipe
from isthmus.data.splits import LabelledSamples, MeasuredOn, split_name

INPUT = ImageInput(3, 299, 344, (0.5,) * 3, (0.5,) * 3)
"""As InceptionV3's weights want it."""
VALIDATION = 0.25
"""Share of each class's training photographs that choosing settings is measured on."""
RECIPE = Recipe(epochs=30, batch_size=32, schedule="cosine", evaluations=15)


def fine_grained(data_root: Path, *, measured_on: MeasuredOn = "exam") -> Problem:
    """CUB-200-2011, Stanford Dogs, Oxford Flowers, Stanford Cars and FGVC-Aircraft on their official splits.

    Source: Zhang et al., "Joint learning of neural networks via iterative reweighted least squares", 2019, section 5.
    Where a set has training and validation photographs, both train.

    Args:
        data_root: holds the data sets, each as unpacked.
        measured_on: the official test sets; or a quarter of each class's training photographs, which then are not
            trained on, for choosing settings without looking at the exam.

    Raises:
        DataError: files that are missing or corrupt.
    """
    found = [part.photographs(data_root) for part in SETS]
    in_memory = fits_in_memory(sum(map(len, found)), INPUT, MEMORY_BUDGET)
    domains, exams = [], []
    for part, photos in zip(SETS, found):
        learnt, measured = _read(part, photos, in_memory=in_memory)
        if measured_on == "validation":
            measured, learnt = learnt.draw_share(VALIDATION)
        domains.append(learnt.domain(part.name))
        exams.append(measured.exam(part.name))
    return Problem(
        name=split_name("fine-grained", measured_on),
        domains=tuple(domains),
        input=INPUT,
        backbone="inception_v3",
        recipe=RECIPE,
        exams=tuple(exams),
    )


def _read(part: PhotographSet, photos: list[Photograph], *, in_memory: bool) -> tuple[LabelledSamples, LabelledSamples]:
    """What trains, and the test set."""
    paths = [photo.path for photo in photos]
    samples = read_every_image(paths, INPUT, name=part.name, in_memory=in_memory, banner=part.banner)
    every = LabelledSamples(samples, class_labels([photo.shows for photo in photos]))
    trains = torch.tensor([photo.trains for photo in photos])
    return every.rows(trains.nonzero().flatten()), every.rows((~trains).nonzero().flatten())
