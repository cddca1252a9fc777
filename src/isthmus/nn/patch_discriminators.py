"""Discriminators of the domains of maps, one logit a patch."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from isthmus.checks import at_least


class GaussianNoise(nn.Module):
    """Adds normal noise in training; nothing in evaluation.

    Args:
        deviation: of the noise.
    """

    def __init__(self, deviation: float) -> None:
        super().__init__()
        at_least(0, noise=deviation)
        self.deviation = deviation

    def forward(self, x: Tensor) -> Tensor:
        return x + self.deviation * torch.randn_like(x) if self.training and self.deviation else x


class PatchDiscriminator(nn.Module):
    """A 3×3 and a 1×1 convolution: feature maps to a logit for each place, source below zero, target above.

    No batch norm: with it, a batch of one domain alone could be told by nothing but its own statistics.

    Args:
        channels: of the maps.
        hidden: channels of the hidden layer.
        noise: deviation of what is added to the maps and to the hidden layer in training.
    """

    def __init__(self, channels: int, *, hidden: int, noise: float) -> None:
        super().__init__()
        at_least(1, hidden=hidden)
        self.layers = nn.Sequential(
            GaussianNoise(noise),
            nn.Conv2d(channels, hidden, 3, padding=1),
            nn.LeakyReLU(0.2),
            GaussianNoise(noise),
            nn.Conv2d(hidden, 1, 1),
        )

    def forward(self, maps: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch 1 height width"]:
        logits: Tensor = self.layers(maps)
        return logits


SMALLEST = 32
"""The least side of maps that the discriminator of outputs can halve five times."""


class OutputDiscriminator(nn.Module):
    """Five 4×4 convolutions of stride 2: maps of at least `SMALLEST` pixels a side to a logit for each patch.

    Source: Tsai et al., "Learning to adapt structured output space for semantic segmentation", CVPR 2018, section 4.2.

    Args:
        channels: of the maps.
        width: channels of the first layer; the next three double it.
        noise: deviation of what is added to the maps and to each hidden layer in training.
    """

    def __init__(self, channels: int, *, width: int = 64, noise: float = 0.0) -> None:
        super().__init__()
        at_least(1, width=width)
        widths = [channels, width, 2 * width, 4 * width, 8 * width]
        layers: list[nn.Module] = []
        for inputs, outputs in zip(widths, widths[1:]):
            layers += [GaussianNoise(noise), nn.Conv2d(inputs, outputs, 4, 2, padding=1), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 4, 2, padding=1))

    def forward(self, maps: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch 1 tall wide"]:
        logits: Tensor = self.layers(maps)
        return logits
