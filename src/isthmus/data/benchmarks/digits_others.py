"""`digits-others`: six handwritten digits with all their labels, the four others with five labels each.

Everything comes with scikit-learn: 1797 handwritten digits of 8×8 pixels.
"""

from __future__ import annotations

from pathlib import Path

import torch

from isthmus.data.benchmarks.digits import DIGITS
from isthmus.data.inputs import ImageInput
from isthmus.data.problems import Problem
from isthmus.data.readers.arrays import stored_samples
from isthmus.data.recipes import Recipe
from isthmus.data.splits import LabelledSamples, MeasuredOn, split_name
from isthmus.data.tasks import Labels

SIZE = 20
"""Side of an image, in pixels; the digits have 8."""
SOURCE, TARGET = "012345", "6789"
"""Digits of each domain."""
FEW, VALIDATION = 5, 50
"""Training and validation images of each of the target's digits; all others are the exam."""


def digits_others(data_root: Path | None = None, *, measured_on: MeasuredOn = "exam") -> Problem:
    """The problem; `measured_on="validation"` is for choosing settings without looking at the exam.

    Args:
        data_root: not used, everything comes with scikit-learn.
        measured_on: the split that scores are taken on.
    """
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = torch.from_numpy(bunch.images * 255 / 16).round().to(torch.uint8)[:, None]
    input = ImageInput.plain(1, SIZE)
    digits = LabelledSamples(stored_samples(images, input, name="digits"), Labels(DIGITS, bunch.target))

    few, others = digits.of_classes(TARGET).draw(FEW)
    validation, exam = others.draw(VALIDATION)
    return Problem(
        name=split_name("digits-others", measured_on),
        domains=(digits.of_classes(SOURCE).domain("digits"), few.domain("others")),
        input=input,
        backbone="digits",
        recipe=Recipe(epochs=30, steps_per_epoch=50, batch_size=FEW * len(TARGET), lr=0.02, evaluations=30),
        exams=((exam if measured_on == "exam" else validation).exam("others"),),
    )
