"""What a camera makes of light: its exposure, its colours, its blur and its noise."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

from isthmus.data.shapes.looks import Look
from isthmus.data.shapes.randomness import Random


def photographed(random: Random, look: Look, light: Tensor) -> Tensor:
    """The camera's image of light (3, n, size, size): (n, 3, size, size) uint8."""
    count, size = light.shape[1], light.shape[-1]
    image = light.transpose(0, 1)
    if look.exposure or look.cast:
        gain = 2 ** random.between(-look.exposure, look.exposure, "exposure")
        balance = random.between(1 - look.cast, 1 + look.cast, "balance", 3)
        image = image * (gain * balance).T[:, :, None, None]
    if look.blur:
        image = _blurred(image, random.between(0.2 * look.blur, look.blur, "blur"))
    image = image.clamp(0, 1) ** (1 / 2.2)
    if look.noise:
        level = random.between(0.2 * look.noise, look.noise, "noise level")[:, None, None, None]
        grain = random.normal("noise", 3, size, size).movedim(-1, 0)
        image = image + level * (0.4 + 0.6 * image.sqrt()) * grain
    return image.clamp(0, 1).mul(255).round().to(torch.uint8).view(count, 3, size, size)


def _blurred(image: Tensor, width: Tensor) -> Tensor:
    """By a Gaussian of its own standard deviation for each of (n, 3, size, size), over 5 × 5 pixels."""
    weights = torch.exp(-torch.arange(-2, 3).square() / (2 * width[:, None].square())).T
    weights = (weights / (weights[0] + weights[1] + weights[2] + weights[3] + weights[4]))[:, :, None, None, None]
    size = image.shape[-1]
    padded = pad(image, (2, 2, 2, 2), mode="replicate")
    rows = _sum([weights[i] * padded[:, :, i : i + size] for i in range(5)])
    return _sum([weights[i] * rows[:, :, :, i : i + size] for i in range(5)])


def _sum(parts: list[Tensor]) -> Tensor:
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total
