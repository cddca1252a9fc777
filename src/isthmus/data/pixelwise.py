"""Pixel-wise tasks: what each asks of a network, its loss and its metrics, and labels of several tasks together.

Labels are one tensor a task. Where a pixel or a point has none they hold NaN, or `IGNORED` in a segmentation.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from isthmus.checks import positive
from isthmus.data.tasks import Metric
from isthmus.errors import DataError
from isthmus.functional.pixelwise import (
    IGNORED,
    depth_loss,
    gaussian_heatmaps,
    heatmap_loss,
    normals_loss,
    segmentation_loss,
    upsampled,
    upsampled_normals,
)

CHECKED = 256
"""Samples whose labels are looked at together: a copy of them all may not fit into memory."""


@dataclass(frozen=True)
class PixelTask(ABC):
    """What is predicted for every pixel, or for points in the image.

    Attributes:
        name: what a network's outputs and labels are called by.
        metrics: that predictions are measured by; the first is the headline.
        channels: of the map that a network gives.
        width: of the vector that it gives besides; 0 for none.
        first_scale: times the output layer's initial weights.
    """

    name: ClassVar[str]
    metrics: ClassVar[tuple[Metric, ...]]
    width: ClassVar[int] = 0
    first_scale: ClassVar[float] = 1.0

    @property
    @abstractmethod
    def channels(self) -> int: ...

    @property
    def shape(self) -> tuple[int | None, ...]:
        """Of one sample's labels; None for the image's sides."""
        return (self.channels, None, None)

    @abstractmethod
    def loss(self, maps: Tensor, vectors: Tensor | None, labels: Tensor) -> Tensor:
        """The masked loss of maps of any resolution and, where the task has them, vectors."""

    def count(self, labels: Tensor) -> Tensor:
        """How many pixels or points have a label: what the loss is a mean over."""
        return labels.isfinite().sum()

    def check(self, labels: Tensor) -> None:
        """Refuse labels of another shape or type.

        Raises:
            DataError: with what was expected and what was got.
        """
        expected = self.shape
        fits = labels.ndim == 1 + len(expected) and all(e in (None, n) for e, n in zip(expected, labels.shape[1:]))
        if not fits or not labels.is_floating_point():
            sides = ", ".join("side" if side is None else str(side) for side in expected)
            raise DataError(
                f"Expected labels of `{self.name}` as (n, {sides}) of floating point, "
                f"but got {tuple(labels.shape)} of {labels.dtype}."
            )


@dataclass(frozen=True)
class SurfaceNormals(PixelTask):
    """The direction of the surface at each pixel: (n, 3, height, width), in camera coordinates, of any length."""

    name = "normals"
    metrics = (
        *(Metric(name, "°", False) for name in ("rmse", "mean", "median")),
        *(Metric(name) for name in ("<11.25°", "<22.5°", "<30°")),
    )

    @property
    def channels(self) -> int:
        return 3

    def loss(self, maps: Tensor, vectors: Tensor | None, labels: Tensor) -> Tensor:
        predicted = upsampled_normals(maps, (labels.shape[2], labels.shape[3]))
        return normals_loss(predicted, labels.to(predicted.dtype), labels.isfinite().all(dim=1))

    def count(self, labels: Tensor) -> Tensor:
        return labels.isfinite().all(dim=1).sum()

    def check(self, labels: Tensor) -> None:
        super().check(labels)
        if any(not part.any(dim=1).all() for part in labels.split(CHECKED)):
            raise DataError("Expected `normals` of some length, or NaN where there are none, but got vectors of zero.")


@dataclass(frozen=True)
class Segmentation(PixelTask):
    """One of several named classes for each pixel: (n, height, width) of whole numbers.

    Attributes:
        classes: their names.
    """

    classes: tuple[str, ...]
    name = "segmentation"
    metrics = (Metric("miou"), Metric("accuracy"))

    def __post_init__(self) -> None:
        if len(self.classes) > IGNORED:
            raise DataError(
                f"Expected at most {IGNORED} classes of `segmentation`, as {IGNORED} stands for none, but got "
                f"{len(self.classes)}. Leave out or put together the rarest."
            )

    @property
    def channels(self) -> int:
        return len(self.classes)

    @property
    def shape(self) -> tuple[int | None, ...]:
        return (None, None)

    def loss(self, maps: Tensor, vectors: Tensor | None, labels: Tensor) -> Tensor:
        return segmentation_loss(upsampled(maps, (labels.shape[1], labels.shape[2])), labels)

    def count(self, labels: Tensor) -> Tensor:
        return (labels != IGNORED).sum()

    def check(self, labels: Tensor) -> None:
        if labels.ndim != 3 or labels.dtype != torch.long:
            raise DataError(
                f"Expected labels of `segmentation` as (n, side, side) of int64, but got {tuple(labels.shape)} of "
                f"{labels.dtype}."
            )
        for part in labels.split(CHECKED):
            known = part.masked_fill(part == IGNORED, 0)
            if known.numel() and not 0 <= int(known.min()) <= int(known.max()) < len(self.classes):
                raise DataError(
                    f"Expected labels of `segmentation` from 0 to {len(self.classes) - 1}, or {IGNORED} for none, "
                    f"but got values from {int(known.min())} to {int(known.max())}."
                )


@dataclass(frozen=True)
class Depth(PixelTask):
    """Distance from the camera's plane at each pixel: (n, height, width), positive."""

    name = "depth"
    metrics = (Metric("abs_rel", "%", False), Metric("rmse", "", False), Metric("δ<1.25"))

    @property
    def channels(self) -> int:
        return 1

    @property
    def shape(self) -> tuple[int | None, ...]:
        return (None, None)

    def loss(self, maps: Tensor, vectors: Tensor | None, labels: Tensor) -> Tensor:
        predicted = upsampled(maps, (labels.shape[1], labels.shape[2])).squeeze(1)
        return depth_loss(predicted, labels.to(predicted.dtype), labels.isfinite())

    def check(self, labels: Tensor) -> None:
        super().check(labels)
        if any((part <= 0).any() for part in labels.split(CHECKED)):
            raise DataError("Expected `depth` above 0, or NaN where there is none, but got others.")


@dataclass(frozen=True)
class Keypoints(PixelTask):
    """Named points: (n, points, 3) of x and y in pixels, and depth; or (n, points, 2) without depth.

    A network gives a heatmap for each, and their depths as a vector. The loss is that of the heatmaps, over the
    Gaussian's own mean square, and that of the depths. Heatmaps are zero nearly everywhere, and so are the network's at
    first: the loss begins near one, as a balance of tasks needs it.

    Attributes:
        names: of the points.
        side: of the image, in pixels.
        deviation: of the Gaussian around each point, in pixels of the image.
        depth: whether they are points in space.
    """

    names: tuple[str, ...]
    side: int
    deviation: float = 3.0
    depth: bool = True
    name = "keypoints"
    first_scale = 0.01

    def __post_init__(self) -> None:
        positive(side=self.side, deviation=self.deviation)

    @property
    def channels(self) -> int:
        return len(self.names)

    @property
    def metrics(self) -> tuple[Metric, ...]:  # type: ignore[override]
        depths = (Metric("depth mean", "", False),) if self.depth else ()
        return (Metric("mean", "px", False), Metric("found"), *depths)

    @property
    def width(self) -> int:  # type: ignore[override]
        return len(self.names) if self.depth else 0

    @property
    def shape(self) -> tuple[int | None, ...]:
        return (len(self.names), 3 if self.depth else 2)

    def loss(self, maps: Tensor, vectors: Tensor | None, labels: Tensor) -> Tensor:
        height, width = maps.shape[2:]
        scale, valid = width / self.side, labels.isfinite().all(dim=2)
        labels = torch.where(valid[:, :, None], labels, 0)
        labels = labels.to(torch.promote_types(labels.dtype, maps.dtype))  # half precision would move points by pixels
        stamps = gaussian_heatmaps(labels[:, :, :2] * scale, height, width, self.deviation * scale)
        level = torch.pi * (self.deviation * scale) ** 2 / (height * width)  # the mean square of a stamp
        places = heatmap_loss(maps, stamps, valid) / level
        return places if vectors is None else places + depth_loss(vectors, labels[:, :, 2], valid)

    def count(self, labels: Tensor) -> Tensor:
        return labels.isfinite().all(dim=2).sum()


@dataclass(frozen=True)
class AnchoredTasks:
    """What a method of the assisted setting is built for.

    Attributes:
        main: the tasks that count, labelled on the source only.
        anchors: the tasks that help, labelled on both domains.
    """

    main: tuple[PixelTask, ...]
    anchors: tuple[PixelTask, ...]

    @property
    def every(self) -> tuple[PixelTask, ...]:
        """Main tasks first."""
        return self.main + self.anchors


@dataclass(frozen=True)
class PixelLabels:
    """Labels of some samples for one or several pixel-wise tasks."""

    values: Mapping[PixelTask, Tensor]

    def __post_init__(self) -> None:
        names = [task.name for task in self.values]
        if len(set(names)) != len(names) or not names:
            raise DataError(f"Expected tasks of different names, at least one, but got {', '.join(names) or 'none'}.")
        for task, labels in self.values.items():
            task.check(labels)
        lengths = {task.name: len(labels) for task, labels in self.values.items()}
        if len(set(lengths.values())) > 1:
            raise DataError(f"Expected labels of every task for the same samples, but got these numbers: {lengths}.")

    def __len__(self) -> int:
        return len(next(iter(self.values.values())))

    @property
    def tasks(self) -> tuple[PixelTask, ...]:
        """The tasks, in order."""
        return tuple(self.values)

    def rows(self, indices: Tensor) -> dict[str, Tensor]:
        """The labels of the samples at `indices`, by the tasks' names."""
        return {task.name: labels[indices] for task, labels in self.values.items()}

    def only(self, tasks: tuple[PixelTask, ...]) -> PixelLabels:
        """The labels of some of the tasks."""
        return PixelLabels({task: self.values[task] for task in tasks})
