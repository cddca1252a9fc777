"""What the numbers of a label file mean: to the tensors that training takes, still at the file's own size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor

from isthmus.errors import DataError
from isthmus.functional.pixelwise import IGNORED
from isthmus.names import listed

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Encoding(Protocol):
    """From the numbers of a file to labels of a task."""

    def decode(self, array: NDArray[Any]) -> Tensor:
        """The labels, NaN or `IGNORED` where there are none.

        Raises:
            DataError: numbers that mean nothing; the message is to stand behind the file's path.
        """
        ...


@dataclass(frozen=True)
class NormalsEncoding:
    """Normals as colours, (n + 1) / 2 of the largest value, or as the numbers themselves.

    A pixel has no normal where the vector's length is not between 1/2 and 3/2: black, grey and white have none.

    Attributes:
        axes: which of the file's channels x, y and z are, and their signs.
    """

    axes: tuple[tuple[int, int], ...] = ((0, 1), (1, 1), (2, 1))

    def decode(self, array: NDArray[Any]) -> Tensor:
        if array.ndim == 3 and array.shape[0] == 3 and array.shape[2] != 3:
            array = array.transpose(1, 2, 0)
        if array.ndim != 3 or array.shape[2] != 3:
            raise DataError(f"expected normals as (height, width, 3), but got {_told(array)}.")
        vectors = torch.from_numpy(array.astype("float32")).permute(2, 0, 1)
        if array.dtype.kind in "iu":
            if array.dtype.name not in ("uint8", "uint16"):
                raise DataError(f"expected normals as 8-bit or 16-bit colours or as fractions, but got {_told(array)}.")
            vectors = 2 * vectors / (255 if array.dtype.name == "uint8" else 65535) - 1
        lengths = vectors.square().sum(dim=0).sqrt()
        vectors = torch.stack([sign * vectors[channel] for channel, sign in self.axes]) / lengths
        return torch.where((lengths > 0.5) & (lengths < 1.5), vectors, torch.nan)


@dataclass(frozen=True)
class SegmentationEncoding:
    """Whole numbers that stand for classes.

    Attributes:
        classes: index of the class of each number.
        ignored: numbers that stand for no class; None for all that are not in `classes`.
    """

    classes: Mapping[int, int]
    ignored: frozenset[int] | None = frozenset((IGNORED,))

    def decode(self, array: NDArray[Any]) -> Tensor:
        if array.ndim == 3 and array.shape[2] == 1:
            array = array[:, :, 0]
        if array.ndim != 2 or array.dtype.kind not in "iub":
            raise DataError(f"expected a whole number for each pixel, (height, width), but got {_told(array)}.")
        found, places = _distinct(array)
        unknown = [v for v in found if v not in self.classes and not (self.ignored is None or v in self.ignored)]
        if unknown:
            raise DataError(
                f"expected the values {listed(map(str, sorted(self.classes)))}, and {self._told()} for no class, but "
                f"got also {listed(map(str, unknown))}. Give their classes as `values`, or `ignore` them."
            )
        return torch.tensor([self.classes.get(value, IGNORED) for value in found])[places]

    def _told(self) -> str:
        return listed(map(str, sorted(self.ignored or ())))


@dataclass(frozen=True)
class DepthEncoding:
    """Distances; those that are not positive and finite are none.

    Attributes:
        scale: metres of one unit of the file.
    """

    scale: float = 1.0

    def decode(self, array: NDArray[Any]) -> Tensor:
        if array.ndim == 3 and (array == array[:, :, :1]).all():  # one value three times, as renderers write it
            array = array[:, :, 0]
        if array.ndim != 2 or array.dtype.kind not in "iuf":
            raise DataError(f"expected a depth for each pixel, (height, width), but got {_told(array)}.")
        depth = torch.from_numpy(array.astype("float32")) * self.scale
        return torch.where(depth.isfinite() & (depth > 0), depth, torch.nan)


@dataclass(frozen=True)
class KeypointsEncoding:
    """Points as rows of x, y and, where they have one, depth; NaN for a point that is not known.

    Attributes:
        points: how many.
        columns: 2, or 3 with depth.
    """

    points: int
    columns: int

    def decode(self, array: NDArray[Any]) -> Tensor:
        if array.shape != (self.points, self.columns) or array.dtype.kind not in "iuf":
            raise DataError(f"expected {self.points} points of {self.columns} numbers each, but got {_told(array)}.")
        return torch.from_numpy(array.astype("float32"))


def _distinct(array: NDArray[Any]) -> tuple[list[int], Tensor]:
    """The different values of an array, and for each of its places the number of its value among them."""
    import numpy as np

    low, high = int(array.min()), int(array.max())
    if high - low >= 1 << 16:
        values, places = np.unique(array, return_inverse=True)
        return values.tolist(), torch.from_numpy(places.reshape(array.shape))  # NumPy 1 flattens
    offsets = array.astype("int64") - low  # a table is many times faster than sorting
    occurs = np.bincount(offsets.ravel()) > 0
    return (np.flatnonzero(occurs) + low).tolist(), torch.from_numpy((np.cumsum(occurs) - 1)[offsets])


def _told(array: NDArray[Any]) -> str:
    return f"shape {array.shape} of {array.dtype}"
