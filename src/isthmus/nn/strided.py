"""Layers of stride 2, down and up again: what auto-encoders and generators of images are made of."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from isthmus.errors import OptionError

HALVINGS = 4
"""How often strided networks halve an image's sides."""


def sides(size: int, name: str) -> list[int]:
    """An image's side, and that after each halving, rounded up.

    >>> sides(28, "dcgan")
    [28, 14, 7, 4, 2]

    Raises:
        OptionError: an image too small to be halved so often.
    """
    found = [size]
    for _ in range(HALVINGS):
        found.append((found[-1] + 1) // 2)
    if found[-2] < 2:
        least = 2 ** (HALVINGS - 1) + 1
        raise OptionError(
            f"Network `{name}` needs images of at least {least}×{least} pixels, but got {size}×{size}. Enlarge them."
        )
    return found


def halved(
    inputs: int, outputs: int, kernel: int, activation: Callable[[], nn.Module], *, norm: bool = True
) -> list[nn.Module]:
    """A convolution of stride 2, batch norm unless told otherwise, an activation."""
    layers: list[nn.Module] = [nn.Conv2d(inputs, outputs, kernel, 2, kernel // 2, bias=not norm)]
    return [*layers, *([nn.BatchNorm2d(outputs)] if norm else []), activation()]


def doubled(
    inputs: int,
    outputs: int,
    kernel: int,
    side: int,
    wanted: int,
    activation: Callable[[], nn.Module],
    *,
    norm: bool = True,
) -> list[nn.Module]:
    """A transposed convolution of stride 2 from one side to another, batch norm unless told otherwise, an activation.

    The wanted side is twice the given one, or one less: the inverse of halving and rounding up.
    """
    padding = wanted - (2 * side - 1)
    layers: list[nn.Module] = [
        nn.ConvTranspose2d(inputs, outputs, kernel, 2, kernel // 2, output_padding=padding, bias=not norm)
    ]
    return [*layers, *([nn.BatchNorm2d(outputs)] if norm else []), activation()]
