"""`digits-photo`, the embedded default: plain handwritten digits to coloured digits on photographs.

Everything comes with scikit-learn: 1797 handwritten digits of 8×8 pixels and two colour photographs. As in MNIST-M, a
target image is the absolute difference of a digit, here in a random colour, and a patch of a photograph. Each digit is
in one split only; patches of training come from the left of the photographs, patches of the exam from the right.
Training draws a fresh patch, a fresh colour and a small jitter of the digit every time; exam images are drawn once,
several to a digit, and stay.
"""

from __future__ import annotations

import math
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from isthmus.data.inputs import ImageInput
from isthmus.data.problems import Domain, Exam, Problem
from isthmus.data.recipes import Recipe
from isthmus.data.samples import ArraySamples
from isthmus.data.splits import MeasuredOn, shuffled, split_name
from isthmus.data.tasks import Classification, Labels

SIZE = 20
"""Side of an image, in pixels; the digits have 8."""
BACKGROUND = 0.35
"""Share of its brightness that a photograph keeps. This and the next were chosen on the validation split."""
DARKEST = 0.2
"""Least brightness of a digit's colour, in each channel."""
SPLITS = {"source": 700, "target": 600, "validation": 197, "exam": 300}
RENDERINGS = 4
"""Exam images made of each digit."""
TRAINING_SIDE = 2 / 3
"""Share of a photograph's width, from the left, whose patches training sees."""


class RenderedDigits:
    """Digits drawn anew at every read: jittered, white on black or coloured on a patch of a photograph.

    Args:
        digits: (n, 8, 8) in [0, 1].
        photographs: (photographs, height, width, 3) in [0, 1]; None for white digits on black.
        background: share of its brightness that a photograph keeps.
        darkest: least brightness of a digit's colour, in each channel.
    """

    def __init__(
        self,
        digits: Tensor,
        photographs: Tensor | None = None,
        *,
        background: float = BACKGROUND,
        darkest: float = DARKEST,
    ) -> None:
        self.digits = digits
        self.photographs = photographs
        self.background = background
        self.darkest = darkest

    def __len__(self) -> int:
        return len(self.digits)

    def read(self, indices: Tensor, generator: torch.Generator) -> Tensor:
        """(n, 3, 20, 20) uint8."""
        strokes = _jitter(self.digits[indices], generator)[:, None].expand(-1, 3, -1, -1)
        images = strokes
        if self.photographs is not None:
            colours = self.darkest + (1 - self.darkest) * torch.rand(len(indices), 3, 1, 1, generator=generator)
            background = self.background * _patches(self.photographs, len(indices), generator)
            images = (background - colours * strokes).abs()
        return images.mul(255).round().to(torch.uint8)


def digits_photo(
    data_root: Path | None = None,
    *,
    measured_on: MeasuredOn = "exam",
    background: float = BACKGROUND,
    darkest: float = DARKEST,
) -> Problem:
    """The problem; `measured_on="validation"` is for choosing settings without looking at the exam.

    Args:
        data_root: not used, everything comes with scikit-learn.
        measured_on: the split that scores are taken on.
        background: share of its brightness that a photograph keeps.
        darkest: least brightness of a digit's colour, in each channel.
    """
    from sklearn.datasets import load_digits, load_sample_images

    bunch = load_digits()
    digits = torch.from_numpy(bunch.images).float() / 16
    labels = torch.from_numpy(bunch.target)
    photographs = torch.stack([torch.from_numpy(image.copy()) for image in load_sample_images().images]).float() / 255
    border = int(photographs.shape[2] * TRAINING_SIDE)

    parts = dict(zip(SPLITS, shuffled(len(digits)).split(list(SPLITS.values()))))
    task = Classification(tuple(str(digit) for digit in range(10)))

    measured = parts[measured_on].repeat(RENDERINGS)
    look = {"background": background, "darkest": darkest}
    rendered = RenderedDigits(digits[measured], photographs[:, :, border:], **look)
    exam = rendered.read(torch.arange(len(measured)), torch.Generator().manual_seed(1))
    return Problem(
        name=split_name("digits-photo", measured_on),
        domains=(
            Domain("digits", RenderedDigits(digits[parts["source"]]), Labels(task, labels[parts["source"]])),
            Domain("photo", RenderedDigits(digits[parts["target"]], photographs[:, :, :border], **look)),
        ),
        input=ImageInput.plain(3, SIZE),
        backbone="digits:dropout=0.1",
        recipe=Recipe(epochs=30, steps_per_epoch=50, batch_size=64, lr=0.05, evaluations=30),
        exams=(Exam("photo", ArraySamples(exam, name="photo"), Labels(task, labels[measured])),),
    )


def _jitter(digits: Tensor, generator: torch.Generator) -> Tensor:
    """(n, 8, 8) to (n, 20, 20): turned by up to 10°, scaled by up to 10 %, moved by up to 2 pixels."""
    turn, scale, right, down = (torch.rand(4, len(digits), generator=generator) * 2 - 1).unbind()
    angle, zoom, move = turn * math.radians(10), 1 + 0.1 * scale, 2 / (SIZE / 2)
    cos, sin = zoom * angle.cos(), zoom * angle.sin()
    theta = torch.stack([torch.stack([cos, -sin, move * right], 1), torch.stack([sin, cos, move * down], 1)], 1)
    grid = affine_grid(theta, [len(digits), 1, SIZE, SIZE], align_corners=False)
    return grid_sample(digits[:, None], grid, align_corners=False).squeeze(1).clamp(0, 1)


def _patches(photographs: Tensor, number: int, generator: torch.Generator) -> Tensor:
    """Random windows of random photographs, their colour channels in random order: (number, 3, 20, 20) in [0, 1]."""
    photos, height, width, _ = photographs.shape

    def draw(below: int) -> Tensor:
        return torch.randint(below, (number, 1, 1), generator=generator)

    rows = draw(height - SIZE + 1) + torch.arange(SIZE)[None, :, None]
    columns = draw(width - SIZE + 1) + torch.arange(SIZE)[None, None, :]
    patches = photographs[draw(photos), rows, columns].permute(0, 3, 1, 2)
    channels = torch.rand(number, 3, generator=generator).argsort(dim=1)
    return patches.gather(1, channels[:, :, None, None].expand_as(patches))
