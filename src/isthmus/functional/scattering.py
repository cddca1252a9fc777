r"""Features of images that nothing was trained for: how much of each orientation and scale is where.

A windowed scattering transform of first order: the moduli of Gabor filters' responses, averaged over a grid. Source:
Bruna and Mallat, "Invariant scattering convolution networks", IEEE TPAMI 2013, section 2.
"""

from __future__ import annotations

import math
from functools import cache

import torch
from jaxtyping import Complex, Float
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, conv2d, pad

SCALES, ORIENTATIONS = 2, 4
GRID = 4
"""Averages are taken over so many by so many windows."""
CENTRE = 3 * math.pi / 4
"""Frequency of the finest filters, in radians a pixel; halved with every scale."""


@cache
def filters() -> Complex[Tensor, "scales_orientations side side"]:
    r"""Gabor filters of zero mean, scales before orientations, in double precision.

    $$\psi(u) = (e^{i \xi \cdot u} - \beta) e^{-\lVert u \rVert^2 / 2 s^2}, \qquad
    \lVert \xi \rVert = \tfrac34 \pi 2^{-j}, \quad s = 0.8 \cdot 2^j$$

    with $\beta$ so that the mean is zero, each over the sum of its envelope.
    """
    reach = 3 * 2 ** (SCALES - 1)
    y, x = torch.meshgrid(*[torch.arange(-reach, reach + 1, dtype=torch.float64)] * 2, indexing="ij")
    found = []
    for scale in range(SCALES):
        envelope = (-(x.square() + y.square()) / (2 * (0.8 * 2**scale) ** 2)).exp()
        envelope /= envelope.sum()
        for turn in range(ORIENTATIONS):
            angle = math.pi * turn / ORIENTATIONS
            phase = CENTRE / 2**scale * (x * math.cos(angle) + y * math.sin(angle))
            wave = torch.complex(phase.cos(), phase.sin())
            found.append((wave - (wave * envelope).sum()) * envelope)
    return torch.stack(found)


def scattering(images: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch features"]:
    r"""For every window of a grid the mean of each channel, and of each filter's modulus on the mean of the channels.

    $$\operatorname{mean}_w x_c, \qquad \operatorname{mean}_w \lvert \bar x \star \psi_{j, \theta} \rvert$$

    Images are reflected at their sides.

    Args:
        images: of at least 7×7 pixels.
    """
    bank = filters()
    bank = torch.view_as_real(bank).permute(3, 0, 1, 2).flatten(0, 1)[:, None].to(images)
    reach = bank.shape[-1] // 2
    grey = pad(images.mean(dim=1, keepdim=True), [reach] * 4, mode="reflect")
    real, imaginary = conv2d(grey, bank).chunk(2, dim=1)
    maps = torch.cat([images, (real.square() + imaginary.square()).sqrt()], dim=1)
    return adaptive_avg_pool2d(maps, GRID).flatten(1)
