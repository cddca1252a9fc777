"""Holes in images, pixel by pixel."""

from __future__ import annotations

import pytest
import torch

from isthmus.data.tasks import Completion
from isthmus.errors import OptionError
from isthmus.functional.holes import with_hole


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_the_square_is_zero_and_nothing_else_changes(dtype: torch.dtype) -> None:
    images = torch.rand(3, 2, 6, 8, generator=torch.Generator().manual_seed(0)).to(dtype) + 1
    corners = torch.tensor([[0, 0], [4, 5], [2, 6]])
    holed = with_hole(images, corners, 3)  # the second and third reach beyond the image
    for number, (top, left) in enumerate(corners.tolist()):
        for row in range(6):
            for column in range(8):
                inside = top <= row < top + 3 and left <= column < left + 3
                expected = torch.zeros(2).to(dtype) if inside else images[number, :, row, column]
                assert torch.equal(holed[number, :, row, column], expected)


def test_holes_are_anywhere_that_they_fit() -> None:
    corners = Completion(3).corners(400, 5, torch.Generator().manual_seed(0))
    assert {tuple(corner) for corner in corners.tolist()} == {(y, x) for y in range(3) for x in range(3)}
    with pytest.raises(OptionError, match="`hole` of at least 1, but got 0"):
        Completion(0)
