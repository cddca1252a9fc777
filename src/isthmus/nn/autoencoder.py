"""An auto-encoder of nine layers: what completes images."""

from __future__ import annotations

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, nn

from isthmus.checks import at_least
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
        raise OptionError(
            f"Network `{name}` needs images of at least {2**HALVINGS - 7}×{2**HALVINGS - 7} pixels, "
            f"but got {size}×{size}. Enlarge them."
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


class AutoEncoder(nn.Module):
    """Images to images of the same size, by way of a code of a sixteenth of the side.

    Four convolutions of stride 2, one at the smallest size, and four transposed convolutions, with batch norm and
    rectifiers between; values from -1 to 1. The paper's layout of nine layers is lost.

    Args:
        channels: of the images.
        size: their side, in pixels.
        width: channels after the first layer; doubled with every halving.

    Raises:
        OptionError: images too small to be halved four times, or a width below 1.
    """

    def __init__(self, channels: int, size: int, *, width: int = 32) -> None:
        super().__init__()
        at_least(1, width=width)
        found = sides(size, "autoencoder")
        widths = [channels, *(width * 2**depth for depth in range(HALVINGS))]
        down = [layer for i, o in zip(widths, widths[1:]) for layer in halved(i, o, 3, nn.ReLU)]
        code = widths[-1]
        middle = [nn.Conv2d(code, code, 3, padding=1, bias=False), nn.BatchNorm2d(code), nn.ReLU()]
        up: list[nn.Module] = []
        for depth in range(HALVINGS, 0, -1):
            last = depth == 1
            end = nn.Tanh if last else nn.ReLU
            inputs, outputs = widths[depth], widths[depth - 1]
            up += doubled(inputs, outputs, 3, found[depth], found[depth - 1], end, norm=not last)
        self.layers = nn.Sequential(*down, *middle, *up)

    def forward(
        self, images: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels height width"]:
        completed: Tensor = self.layers(images)
        return completed
