"""Labels as people have them, whole numbers or strings, to class indices."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from isthmus.data.tasks import Classification, Labels
from isthmus.errors import DataError
from isthmus.names import listed

LabelValue = int | str


@dataclass(frozen=True)
class LabelCode:
    """Which label value stands for which class.

    Attributes:
        values: the label of each class, in the order of their indices.
        task: the classification over them.
    """

    values: tuple[LabelValue, ...]
    task: Classification

    @classmethod
    def of(cls, labels: Sequence[LabelValue], classes: Sequence[LabelValue] | None = None) -> LabelCode:
        """The code of the source's labels.

        Args:
            labels: of the source.
            classes: the label values in the order wanted; the sorted values of `labels` if None. Names for labels that
                are whole numbers make these numbers indices of the names.

        >>> LabelCode.of(["cat", "dog", "cat"]).values
        ('cat', 'dog')
        >>> LabelCode.of([0, 1], classes=["cat", "dog"]).task.classes
        ('cat', 'dog')
        """
        values = tuple(classes) if classes is not None else tuple(sorted(set(labels)))
        task = Classification(tuple(str(value) for value in values))
        if labels and isinstance(labels[0], int) and all(isinstance(value, str) for value in values):
            values = tuple(range(len(values)))
        return cls(values, task)

    def encode(self, labels: Sequence[LabelValue], *, name: str) -> Labels:
        """Class indices of `labels`.

        Raises:
            DataError: a label that is no class, with `name` to say whose.
        """
        index = {value: place for place, value in enumerate(self.values)}
        unknown = sorted({str(label) for label in labels if label not in index})
        if unknown:
            raise DataError(
                f"`{name}`: expected labels among {listed(map(str, self.values))}, but got also {listed(unknown)}. "
                f"Leave these samples out, or train on their classes too."
            )
        return Labels(self.task, torch.tensor([index[label] for label in labels], dtype=torch.long))


def class_labels(names: Sequence[str]) -> Labels:
    """Labels by the class of each sample; the classes are in order of their names.

    >>> class_labels(["dog", "cat", "dog"]).values.tolist()
    [1, 0, 1]
    """
    return LabelCode.of(names).encode(names, name="labels")


def label_values(labels: Any, *, name: str) -> list[LabelValue]:
    """Labels (n,) of an array, tensor, column or list as Python's own whole numbers or strings.

    Raises:
        DataError: another shape, fractions, missing values, or a mixture of numbers and strings.
    """
    if not hasattr(labels, "__iter__") or isinstance(labels, (str, bytes)):
        raise DataError(f"`{name}`: expected a vector of labels, one a sample, but got {labels!r}.")
    values = labels.tolist() if hasattr(labels, "tolist") else [_scalar(value) for value in labels]
    if not isinstance(values, list) or any(isinstance(value, (list, tuple)) for value in values):
        shape = tuple(labels.shape) if hasattr(labels, "shape") else "of nested lists"
        raise DataError(f"`{name}`: expected a vector of labels, one a sample, but got shape {shape}.")
    if all(_whole(value) for value in values):
        return [int(value) for value in values]
    if all(isinstance(value, str) for value in values):
        return values
    kinds = " and ".join(sorted({type(value).__name__ for value in values}))
    odd = next((value for value in values if not _whole(value) and not isinstance(value, str)), values[0])
    raise DataError(
        f"`{name}`: expected labels that are all whole numbers or all strings, but got {kinds}, such as {odd!r}."
    )


def _scalar(value: Any) -> Any:
    """A NumPy or PyTorch scalar as Python's own."""
    return value.tolist() if hasattr(value, "tolist") else value


def _whole(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value) and value == int(value)
