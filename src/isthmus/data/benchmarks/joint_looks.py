"""`digits-looks`, the joint setting's embedded default: scikit-learn's digits in four looks, a few of each."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from isthmus.data.benchmarks.digits import DIGITS
from isthmus.data.benchmarks.digits_photo import SIZE, RenderedDigits
from isthmus.data.inputs import ImageInput
from isthmus.data.problems import Domain, Exam, Problem
from isthmus.data.recipes import Recipe
from isthmus.data.samples import ArraySamples, Samples
from isthmus.data.splits import MeasuredOn, shuffled, split_name
from isthmus.data.tasks import Labels

LOOKS = ("plain", "noisy", "inverted", "photo")
"""White on black; thin on noise; black on white; coloured, on photographs."""
FEW = 6
"""Training digits of each class in each domain."""
SPLITS = {"validation": 500, "exam": 700}
"""Digits that domains are measured on, the same in every look; the rest is for training."""
NOISE = 0.6
"""Largest brightness of the noise behind thin digits."""
BATCH = 30


class ThinnedOnNoise:
    """White digits on black, their strokes thinned, on noise that is drawn anew at every read."""

    def __init__(self, digits: Samples) -> None:
        self.digits = digits

    def __len__(self) -> int:
        return len(self.digits)

    def read(self, indices: Tensor, generator: torch.Generator) -> Tensor:
        strokes = (2 * self.digits.read(indices, generator).float() / 255 - 1).clamp(min=0)
        noise = NOISE * torch.rand(strokes.shape, generator=generator)
        return torch.maximum(strokes, noise).mul(255).round().to(torch.uint8)


class Inverted:
    """Black for white."""

    def __init__(self, digits: Samples) -> None:
        self.digits = digits

    def __len__(self) -> int:
        return len(self.digits)

    def read(self, indices: Tensor, generator: torch.Generator) -> Tensor:
        return 255 - self.digits.read(indices, generator)


def digits_looks(data_root: Path | None = None, *, measured_on: MeasuredOn = "exam") -> Problem:
    """The problem; `measured_on="validation"` is for choosing settings without looking at the exam.

    Args:
        data_root: not used, everything comes with scikit-learn.
        measured_on: the split that scores are taken on.
    """
    from sklearn.datasets import load_digits, load_sample_images

    bunch = load_digits()
    digits, labels = torch.from_numpy(bunch.images).float() / 16, torch.from_numpy(bunch.target)
    photographs = torch.stack([torch.from_numpy(image.copy()) for image in load_sample_images().images]).float() / 255
    width = photographs.shape[2]

    def look(name: str, images: Tensor, first: int, last: int) -> Samples:
        if name == "photo":
            return RenderedDigits(images, photographs[:, :, first:last])
        rendered = RenderedDigits(images)
        changed: dict[str, Samples] = {"noisy": ThinnedOnNoise(rendered), "inverted": Inverted(rendered)}
        return changed.get(name, rendered)

    *held_out, others = shuffled(len(digits)).split([*SPLITS.values(), len(digits) - sum(SPLITS.values())])
    measured = dict(zip(SPLITS, held_out))[measured_on]
    by_class = [others[labels[others] == label] for label in range(10)]
    domains, exams = [], []
    for place, name in enumerate(LOOKS):
        few = torch.cat([members[place * FEW : (place + 1) * FEW] for members in by_class])
        domains.append(Domain(name, look(name, digits[few], 0, 2 * width // 3), Labels(DIGITS, labels[few])))
        drawn = look(name, digits[measured], 2 * width // 3, width)
        stored = drawn.read(torch.arange(len(measured)), torch.Generator().manual_seed(1 + place))
        exams.append(Exam(name, ArraySamples(stored, name=name), Labels(DIGITS, labels[measured])))
    return Problem(
        name=split_name("digits-looks", measured_on),
        domains=tuple(domains),
        input=ImageInput.plain(3, SIZE),
        backbone="digits:dropout=0.1",
        recipe=Recipe(epochs=40, steps_per_epoch=5, batch_size=BATCH, lr=0.05, schedule="cosine", evaluations=20),
        exams=tuple(exams),
    )
