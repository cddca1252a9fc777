"""Labelled samples, parted by class and by draws that are the same every time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from isthmus.data.problems import Domain, Exam
from isthmus.data.samples import Samples, Subset
from isthmus.data.tasks import Classification, Labels

MeasuredOn = Literal["exam", "validation"]
"""The split of a built-in problem that scores are taken on: the second is for choosing settings."""


@dataclass(frozen=True)
class LabelledSamples:
    """Samples that all have labels, before it is decided who sees them."""

    samples: Samples
    labels: Labels

    def rows(self, indices: Tensor) -> LabelledSamples:
        """The samples at `indices`, (n,)."""
        return LabelledSamples(Subset(self.samples, indices), Labels(self.labels.task, self.labels.values[indices]))

    def of_classes(self, classes: Sequence[str]) -> LabelledSamples:
        """The samples of some classes, as a task of their own."""
        places = torch.full((self.labels.task.num_classes,), -1)
        places[[self.labels.task.classes.index(name) for name in classes]] = torch.arange(len(classes))
        indices = (places[self.labels.values] >= 0).nonzero().flatten()
        labels = Labels(Classification(tuple(classes)), places[self.labels.values[indices]])
        return LabelledSamples(Subset(self.samples, indices), labels)

    def draw(self, number: int) -> tuple[LabelledSamples, LabelledSamples]:
        """`number` random samples of each class, all of a class that has no more, and the other samples."""
        return self._draw([number] * self.labels.task.num_classes)

    def draw_share(self, share: float) -> tuple[LabelledSamples, LabelledSamples]:
        """A random share of each class, rounded down but at least one sample, and the other samples."""
        return self._draw([max(1, int(share * count)) for count in self.labels.values.bincount().tolist()])

    def domain(self, name: str) -> Domain:
        """To train on."""
        return Domain(name, self.samples, self.labels)

    def exam(self, name: str) -> Exam:
        """To measure by."""
        return Exam(name, self.samples, self.labels)

    def _draw(self, numbers: Sequence[int]) -> tuple[LabelledSamples, LabelledSamples]:
        order = shuffled(len(self.labels))
        shuffled_labels = self.labels.values[order]
        drawn = torch.zeros(len(self.labels), dtype=torch.bool)
        for label, number in enumerate(numbers):
            drawn[order[shuffled_labels == label][:number]] = True
        return self.rows(drawn.nonzero().flatten()), self.rows((~drawn).nonzero().flatten())


def shuffled(number: int) -> Tensor:
    """The numbers below `number` in an order that is random and the same every time.

    >>> sorted(shuffled(4).tolist())
    [0, 1, 2, 3]
    """
    return torch.randperm(number, generator=torch.Generator().manual_seed(0))


def split_name(name: str, measured_on: MeasuredOn) -> str:
    """The name of a problem that is measured on a split.

    >>> split_name("shapes", "exam"), split_name("shapes", "validation")
    ('shapes', 'shapes:validation')
    """
    return name if measured_on == "exam" else f"{name}:{measured_on}"
