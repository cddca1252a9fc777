"""Records of an encoder's forward passes: what a decoder needs to go the same way back.

The size of each layer's input and the places of each max pool's maxima are recorded as values, so that neither encoder
nor decoder remembers anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.functional import max_pool2d

from isthmus.nn.backbones.base import Backbone

TRACED = (nn.Conv2d, nn.Linear, nn.Flatten, nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d)
"""Layers whose inputs are recorded."""


@dataclass(frozen=True)
class Passed:
    """What went into a layer: the shape of one sample, and, for a max pool, where in it the maxima lay."""

    shape: torch.Size
    indices: Tensor | None = None


Trace = dict[nn.Module, Passed]
"""One forward pass: what went into each layer that has a mirror."""


class Passes:
    """The traces of several forward passes, found by the features that came out."""

    def __init__(self) -> None:
        self.recorded: list[tuple[Tensor, Trace]] = []

    def of(self, features: Tensor) -> Trace:
        """The trace of the pass that `features` came from, or were the first or last rows of, as in a joint pass."""
        rows = len(features)
        for output, trace in reversed(self.recorded):
            if output[-rows:].data_ptr() == features.data_ptr():
                return _rows(trace, slice(len(output) - rows, None))
            if output.data_ptr() == features.data_ptr():
                return _rows(trace, slice(rows))
        raise ValueError("Expected features from a forward pass within `tracing`, but these came from elsewhere.")


@contextmanager
def tracing(backbone: Backbone) -> Iterator[Passes]:
    """Record every forward pass of `backbone` inside the context."""
    passes, current = Passes(), cast(Trace, {})

    def enter(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        current[layer] = Passed(inputs[0].shape[1:], _maxima(layer, inputs[0]))

    def leave(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        passes.recorded.append((output.detach(), dict(current)))
        current.clear()

    handles = [
        layer.register_forward_pre_hook(enter) for layer in backbone.encoder().modules() if isinstance(layer, TRACED)
    ]
    handles.append(backbone.register_forward_hook(leave))
    try:
        yield passes
    finally:
        for handle in handles:
            handle.remove()


def _maxima(layer: nn.Module, images: Tensor) -> Tensor | None:
    if not isinstance(layer, nn.MaxPool2d):
        return None
    with torch.no_grad():
        return max_pool2d(
            images,
            layer.kernel_size,
            layer.stride,
            layer.padding,
            layer.dilation,
            ceil_mode=layer.ceil_mode,
            return_indices=True,
        )[1]


def _rows(trace: Trace, rows: slice) -> Trace:
    return {
        layer: Passed(passed.shape, None if passed.indices is None else passed.indices[rows])
        for layer, passed in trace.items()
    }
