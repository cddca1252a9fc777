"""Typed batches: what a method sees of the data. An unlabelled batch has no label field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, Union

import torch
from jaxtyping import Int
from torch import Tensor


@dataclass(frozen=True)
class Layout:
    """Where and how a network wants its inputs."""

    device: torch.device
    dtype: torch.dtype = torch.float32
    channels_last: bool = False

    def place(self, images: Tensor) -> Tensor:
        """Images or vectors, moved, cast and laid out."""
        memory_format = torch.channels_last if self.channels_last and images.ndim == 4 else torch.preserve_format
        return images.to(self.device, self.dtype, non_blocking=True, memory_format=memory_format)


@dataclass(frozen=True)
class Unlabelled:
    """Images (batch, channels, height, width) or vectors (batch, features) of a domain without labels."""

    images: Tensor

    def to(self, layout: Layout) -> Unlabelled:
        return Unlabelled(layout.place(self.images))


@dataclass(frozen=True)
class Labelled:
    """Images or vectors with their class indices."""

    images: Tensor
    labels: Int[Tensor, "batch"]

    def to(self, layout: Layout) -> Labelled:
        return Labelled(layout.place(self.images), self.labels.to(layout.device, non_blocking=True))


@dataclass(frozen=True)
class Incomplete:
    """Images with a hole, and as they were before it was cut."""

    images: Tensor
    whole: Tensor

    def to(self, layout: Layout) -> Incomplete:
        return Incomplete(layout.place(self.images), layout.place(self.whole))


@dataclass(frozen=True)
class Anchored:
    """Images with the labels of anchor tasks, by the tasks' names. There is no field for main tasks."""

    images: Tensor
    anchors: Mapping[str, Tensor]

    def to(self, layout: Layout) -> Anchored:
        return Anchored(layout.place(self.images), _moved(self.anchors, layout))


@dataclass(frozen=True)
class FullyLabelled:
    """Images with the labels of main and of anchor tasks, by the tasks' names."""

    images: Tensor
    main: Mapping[str, Tensor]
    anchors: Mapping[str, Tensor]

    def to(self, layout: Layout) -> FullyLabelled:
        return FullyLabelled(layout.place(self.images), _moved(self.main, layout), _moved(self.anchors, layout))


DomainBatch = Union[Labelled, Unlabelled, Incomplete, Anchored, FullyLabelled]
"""A batch of one domain."""


@dataclass(frozen=True)
class Share:
    """This process's part of every batch: the `rank`-th of `world`."""

    rank: int = 0
    world: int = 1


@dataclass(frozen=True)
class UnsupervisedBatch:
    """A labelled source batch and an unlabelled target batch.

    Attributes:
        source: this process's images, with labels.
        target: this process's images, as many.
        seed: of what a method draws for this batch, the same in all processes.
        share: which part of the batch over all processes this is.
    """

    source: Labelled
    target: Unlabelled
    seed: int = 0
    share: Share = Share()
    _drawn: dict[int, Tensor] = field(default_factory=dict, init=False, repr=False, compare=False)

    def to(self, layout: Layout) -> UnsupervisedBatch:
        return replace(self, source=self.source.to(layout), target=self.target.to(layout))

    def noise(self, width: int) -> Tensor:
        """Standard normal vectors (batch, width), one for each target image.

        The same at every call, and the same rows however many processes share the batch.
        """
        if width not in self._drawn:
            images = self.target.images
            random = torch.Generator(images.device).manual_seed(self.seed)
            shape = len(images) * self.share.world, width
            # In one type, so that it is the same in every precision.
            whole = torch.randn(shape, generator=random, device=images.device, dtype=torch.float32)
            self._drawn[width] = whole.tensor_split(self.share.world)[self.share.rank].to(images.dtype)
        return self._drawn[width]


@dataclass(frozen=True)
class InductiveBatch:
    """A batch of the source and one of the target, each with labels of its own classes.

    Attributes:
        source: this process's images, with the source's labels.
        target: this process's images, as many, with the target's labels.
    """

    source: Labelled
    target: Labelled

    def to(self, layout: Layout) -> InductiveBatch:
        return InductiveBatch(self.source.to(layout), self.target.to(layout))


Turns = Literal["epoch", "batch"]
"""How domains take turns: each for an epoch of its own, or evenly mixed, batch by batch."""


@dataclass(frozen=True)
class JointBatch:
    """A batch of one of n domains, which take turns.

    Attributes:
        domain: its number, from 0.
        samples: this process's images, with the domain's own labels where it has some.
    """

    domain: int
    samples: DomainBatch

    def to(self, layout: Layout) -> JointBatch:
        return JointBatch(self.domain, self.samples.to(layout))


@dataclass(frozen=True)
class AssistedBatch:
    """A batch of a source with labels of every task and one of a target with labels of the anchor tasks.

    Attributes:
        source: this process's images, with labels of main and anchor tasks.
        target: this process's images, as many, with labels of anchor tasks.
    """

    source: FullyLabelled
    target: Anchored

    def to(self, layout: Layout) -> AssistedBatch:
        return AssistedBatch(self.source.to(layout), self.target.to(layout))


@dataclass(frozen=True)
class OracleBatch:
    """Both domains with labels of every task: for what is no method, but a bound on methods."""

    source: FullyLabelled
    target: FullyLabelled

    def to(self, layout: Layout) -> OracleBatch:
        return OracleBatch(self.source.to(layout), self.target.to(layout))


def _moved(labels: Mapping[str, Tensor], layout: Layout) -> dict[str, Tensor]:
    return {task: values.to(layout.device, non_blocking=True) for task, values in labels.items()}
