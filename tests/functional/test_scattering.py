"""Scattering features: what each responds to, against sums written out, and that they are stable."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from isthmus.functional.scattering import CENTRE, GRID, ORIENTATIONS, SCALES, filters, scattering

SIDE = 32


def grating(frequency: float, angle: float, phase: float = 0.0) -> Tensor:
    y, x = torch.meshgrid(*[torch.arange(SIDE, dtype=torch.float64)] * 2, indexing="ij")
    return (frequency * (x * math.cos(angle) + y * math.sin(angle)) + phase).cos()[None, None]


def bands(images: Tensor) -> Tensor:
    """Mean response of each filter over the inner windows, (scales, orientations)."""
    maps = scattering(images).view(-1, GRID, GRID)[1:]
    return maps[:, 1:-1, 1:-1].mean(dim=(1, 2)).view(SCALES, ORIENTATIONS)


@pytest.mark.parametrize("scale", range(SCALES))
@pytest.mark.parametrize("turn", range(ORIENTATIONS))
def test_a_grating_excites_the_filter_of_its_scale_and_orientation(scale: int, turn: int) -> None:
    found = bands(grating(CENTRE / 2**scale, math.pi * turn / ORIENTATIONS))
    assert divmod(int(found.argmax()), ORIENTATIONS) == (scale, turn)
    # A filter of weight one around its frequency gives half a cosine's amplitude, whatever its phase.
    assert found.max().item() == pytest.approx(0.5, abs=0.06)
    moved = bands(grating(CENTRE / 2**scale, math.pi * turn / ORIENTATIONS, phase=1.0))
    torch.testing.assert_close(moved, found, rtol=0, atol=0.02)


def test_a_flat_image_has_means_and_nothing_else() -> None:
    flat = torch.tensor([0.2, -0.4, 0.8], dtype=torch.float64)[None, :, None, None].expand(1, 3, 20, 20)
    features = scattering(flat).view(3 + SCALES * ORIENTATIONS, GRID * GRID)
    torch.testing.assert_close(features[:3], flat[0, :, 0, 0, None].expand(3, GRID * GRID))
    assert features[3:].abs().max() < 1e-12


def test_equals_sums_over_pixels() -> None:
    image = torch.randn(1, 2, 16, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    grey, bank = image.mean(dim=1)[0], filters()
    reach = bank.shape[-1] // 2

    def reflected(place: int) -> int:
        place = abs(place)
        return place if place < 16 else 30 - place

    total = 0.0
    for y in range(4, 8):  # the window of the second row and the third column
        for x in range(8, 12):
            value = 0j
            for v in range(-reach, reach + 1):
                for u in range(-reach, reach + 1):
                    pixel = grey[reflected(y + v), reflected(x + u)].item()
                    value += pixel * complex(bank[5, v + reach, u + reach])
            total += abs(value) / 16
    features = scattering(image).view(2 + SCALES * ORIENTATIONS, GRID, GRID)
    assert features[2 + 5, 1, 2].item() == pytest.approx(total)
    assert features[1, 1, 2].item() == pytest.approx(image[0, 1, 4:8, 8:12].mean().item())


def test_half_precision_is_near() -> None:
    images = torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(scattering(images.bfloat16()).float(), scattering(images), rtol=0.05, atol=0.02)
