"""What is predicted, and the four settings."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import ClassVar, Union

import torch
from torch import Tensor

from isthmus.checks import at_least
from isthmus.errors import DataError
from isthmus.functional.holes import with_hole


class Setting(str, Enum):
    """Who has labels of what; every method states the one it is for."""

    UNSUPERVISED = "unsupervised"
    """Source labelled, target not, same classes; measured on the target."""
    INDUCTIVE = "inductive"
    """Source labelled, target with a few labels of other classes; measured on the target."""
    JOINT = "joint"
    """n domains, each with labels of its own, or with images to complete or generate; measured on every domain."""
    ASSISTED = "assisted"
    """Main task labelled on the source only, anchor task on both; measured on the target."""

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True)
class Metric:
    """What predictions are measured by.

    Attributes:
        name: of the number.
        unit: `%` of a share, which is 1 where percents are 100; else `°`, `px`, `dB`, or nothing.
        higher_is_better: whether it is.
    """

    name: str
    unit: str = "%"
    higher_is_better: bool = True


@dataclass(frozen=True)
class Classification:
    """One of several named classes for each image.

    >>> Classification(("cat", "dog")).num_classes
    2
    """

    metrics: ClassVar[tuple[Metric, ...]] = (Metric("accuracy"),)
    classes: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.classes) < 2:
            found = f"only {self.classes[0]!r}" if self.classes else "none"
            raise DataError(f"Expected at least two classes, but got {found}. Add samples of another class.")
        if len(set(self.classes)) != len(self.classes):
            raise DataError(f"Expected distinct class names, but got {', '.join(self.classes)}.")

    @property
    def num_classes(self) -> int:
        return len(self.classes)


@dataclass(frozen=True)
class Completion:
    """What is missing of an image: a square hole at a random place, filled with grey.

    The paper cuts out 22 pixels of images whose size it does not state; of 64, that is a third of the side.

    Attributes:
        hole: side of the square, in pixels.
    """

    metrics: ClassVar[tuple[Metric, ...]] = (Metric("L2 loss", "", False), Metric("PSNR", "dB"))
    hole: int

    def __post_init__(self) -> None:
        at_least(1, hole=self.hole)

    def corners(self, images: int, size: int, generator: torch.Generator) -> Tensor:
        """The top and left of a hole in each of some images of a side, anywhere that it fits, (images, 2)."""
        return torch.randint(size - self.hole + 1, (images, 2), generator=generator)

    def cut(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Network inputs (batch, channels, size, size) with a hole in each, at places drawn by `generator`."""
        return with_hole(images, self.corners(len(images), images.shape[2], generator), self.hole)


@dataclass(frozen=True)
class Generation:
    """New images like those of the domain."""

    metrics: ClassVar[tuple[Metric, ...]] = (Metric("Fréchet distance", "", False), Metric("novelty"))


ImageTask = Union[Completion, Generation]
"""What is learned of images without any labels."""
DomainTask = Union[Classification, ImageTask]
"""What is learned of one domain of a joint problem."""


@dataclass(frozen=True)
class Labels:
    """Class indices, (n,) int64, of a classification task."""

    task: Classification
    values: Tensor

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", torch.as_tensor(self.values))
        if self.values.ndim != 1 or self.values.is_floating_point():
            raise DataError(
                f"Expected labels as a vector of whole numbers, but got shape {tuple(self.values.shape)} "
                f"of {self.values.dtype}."
            )
        object.__setattr__(self, "values", self.values.long())
        if len(self.values) and not 0 <= int(self.values.min()) <= int(self.values.max()) < self.task.num_classes:
            raise DataError(
                f"Expected labels from 0 to {self.task.num_classes - 1}, one of {self.task.num_classes} classes, "
                f"but got values from {int(self.values.min())} to {int(self.values.max())}."
            )

    def __len__(self) -> int:
        return len(self.values)

    @property
    def counts(self) -> tuple[int, ...]:
        """How many samples each class has."""
        return tuple(self.values.bincount(minlength=self.task.num_classes).tolist())
