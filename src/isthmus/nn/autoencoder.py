"""An auto-encoder of nine layers: what completes images."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from isthmus.checks import at_least
from isthmus.nn.strided import HALVINGS, doubled, halved, sides


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
