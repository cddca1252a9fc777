"""Typed batches: what a method sees of the data. An unlabelled batch has no label field."""

from __future__ import annotations

from dataclasses import dataclass

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
class UnsupervisedBatch:
    """A labelled source batch and an unlabelled target batch."""

    source: Labelled
    target: Unlabelled

    def to(self, layout: Layout) -> UnsupervisedBatch:
        return UnsupervisedBatch(self.source.to(layout), self.target.to(layout))
