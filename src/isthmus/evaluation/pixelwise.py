"""Metrics of pixel-wise tasks, pooled over a set: add batch after batch, then ask for the result.

Each keeps a few sums or counts, whatever the size of the set. Pixels and points without a label do not count.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import normalize

from isthmus.checks import at_least, positive
from isthmus.errors import DataError
from isthmus.functional.pixelwise import IGNORED

ANGLES = (11.25, 22.5, 30.0)
"""Thresholds of the literature on surface normals, in degrees."""

BINS_PER_DEGREE = 1000


def angles_between(predicted: Tensor, normals: Tensor) -> Tensor:
    r"""Degrees between vectors (n, 3, …) of any length, (n, …).

    $2 \arctan (\lVert a - b \rVert / \lVert a + b \rVert)$ of unit vectors, which is exact for small angles as well,
    where the arc cosine of a rounded number is not.

    >>> angles_between(torch.tensor([[1.0, 0.0, 0.0]]), torch.tensor([[0.0, 2.0, 0.0]]))
    tensor([90.])
    """
    a, b = normalize(predicted.float(), dim=1), normalize(normals.float(), dim=1)
    return torch.rad2deg(2 * torch.atan2((a - b).norm(dim=1), (a + b).norm(dim=1)))


class NormalErrors:
    """Angles between predicted and true normals.

    The median is that of angles rounded to a thousandth of a degree; all else is exact.
    """

    def __init__(self) -> None:
        self.count = 0
        self.total = 0.0
        self.squares = 0.0
        self.under = [0] * len(ANGLES)
        self.histogram = torch.zeros(180 * BINS_PER_DEGREE + 1, dtype=torch.long)

    def add(self, predicted: Tensor, labels: Tensor) -> None:
        """Of normals (n, 3, height, width) each, of any length."""
        angles = angles_between(predicted, labels)[labels.isfinite().all(dim=1)]
        self.count += len(angles)
        self.total += angles.double().sum().item()
        self.squares += angles.double().square().sum().item()
        self.under = [n + int((angles < limit).sum()) for n, limit in zip(self.under, ANGLES)]
        bins = (angles * BINS_PER_DEGREE).round().long()
        self.histogram += bins.bincount(minlength=len(self.histogram)).cpu()

    def result(self) -> dict[str, float]:
        """RMSE, mean and median in degrees, and the shares under 11.25°, 22.5° and 30°, in [0, 1].

        Raises:
            DataError: no labelled pixel was added.
        """
        _some(self.count, "pixel")
        shares = {f"<{limit:g}°": n / self.count for n, limit in zip(self.under, ANGLES)}
        return {
            "rmse": math.sqrt(self.squares / self.count),
            "mean": self.total / self.count,
            "median": self._median(),
            **shares,
        }

    def _median(self) -> float:
        middle = torch.tensor([(self.count - 1) // 2, self.count // 2])
        return torch.searchsorted(self.histogram.cumsum(0), middle, right=True).double().mean().item() / BINS_PER_DEGREE


class SegmentationScores:
    """Intersection over union of each class, over the pixels that are labelled.

    Args:
        classes: how many.
    """

    def __init__(self, classes: int) -> None:
        at_least(1, classes=classes)
        self.confusion = torch.zeros(classes, classes, dtype=torch.long)

    def add(self, predicted: Tensor, labels: Tensor) -> None:
        """Of classes (n, height, width) each; `IGNORED` labels do not count."""
        kept = labels != IGNORED
        classes = len(self.confusion)
        pairs = labels[kept] * classes + predicted[kept]
        self.confusion += pairs.bincount(minlength=classes**2).view(classes, classes).cpu()

    def result(self) -> dict[str, float]:
        """The mean over classes that occur, in labels or predictions, and the share of pixels that are right.

        Raises:
            DataError: no labelled pixel was added.
        """
        _some(int(self.confusion.sum()), "pixel")
        right = self.confusion.diagonal().double()
        return {"miou": self.ious().nanmean().item(), "accuracy": (right.sum() / self.confusion.sum()).item()}

    def ious(self) -> Tensor:
        """Of each class, (classes,); NaN for one that occurs nowhere."""
        right = self.confusion.diagonal().double()
        return right / (self.confusion.sum(dim=0) + self.confusion.sum(dim=1) - right)


class KeypointErrors:
    """Distances between predicted and true points in the image, and between their depths, which may have either sign.

    Args:
        near: distance under which a point counts as found, in pixels.
        depth: whether points have a depth.
    """

    def __init__(self, near: float, *, depth: bool = False) -> None:
        positive(near=near)
        self.near, self.depth = near, depth
        self.count = self.found = 0
        self.total = self.off = 0.0

    def add(self, predicted: Tensor, labels: Tensor) -> None:
        """Of points (n, points, 2) in pixels each, or (n, points, 3) with depth."""
        differences = (predicted.double() - labels.double())[labels.isfinite().all(dim=2)]
        distances = differences[:, :2].norm(dim=1)
        self.count += len(distances)
        self.found += int((distances < self.near).sum())
        self.total += distances.sum().item()
        self.off += differences[:, 2:].abs().sum().item()

    def result(self) -> dict[str, float]:
        """The mean distance in pixels, the share found, in [0, 1], and, of points with depth, its mean error.

        Raises:
            DataError: no labelled point was added.
        """
        _some(self.count, "point")
        places = {"mean": self.total / self.count, "found": self.found / self.count}
        return places | {"depth mean": self.off / self.count} if self.depth else places


class DepthErrors:
    """Of predicted depths d̂ against true depths d > 0, of pixels or of points.

    A prediction that is not positive counts as one of next to nothing in the ratio.
    """

    def __init__(self) -> None:
        self.count = self.close = 0
        self.relative = self.squares = 0.0

    def add(self, predicted: Tensor, labels: Tensor) -> None:
        """Of depths of one shape."""
        labelled = labels.isfinite()
        predicted, depth = predicted[labelled].double(), labels[labelled].double()
        difference = predicted - depth
        ratio = predicted.clamp(min=1e-6) / depth
        self.count += len(depth)
        self.relative += (difference.abs() / depth).sum().item()
        self.squares += difference.square().sum().item()
        self.close += int((torch.maximum(ratio, 1 / ratio) < 1.25).sum())

    def result(self) -> dict[str, float]:
        """Mean |d̂ - d| / d, the RMSE, and the share whose ratio is under 1.25 either way, in [0, 1].

        Raises:
            DataError: no labelled depth was added.
        """
        _some(self.count, "depth")
        return {
            "abs_rel": self.relative / self.count,
            "rmse": math.sqrt(self.squares / self.count),
            "δ<1.25": self.close / self.count,
        }


def _some(count: int, what: str) -> None:
    if count == 0:
        raise DataError(f"Expected at least one labelled {what}, but got none. Add a batch with some.")
