"""Images with a part cut out."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor


def with_hole(
    images: Float[Tensor, "batch channels height width"], corners: Int[Tensor, "batch two"], side: int
) -> Float[Tensor, "batch channels height width"]:
    """The images with a square of zeros in each.

    Args:
        images: of any values.
        corners: the top and left of each square.
        side: of the squares, in pixels.

    >>> with_hole(torch.ones(1, 1, 3, 3), torch.tensor([[1, 0]]), 2).squeeze()
    tensor([[1., 1., 1.],
            [0., 0., 1.],
            [0., 0., 1.]])
    """
    top, left = (corners[:, axis, None].to(images.device) for axis in (0, 1))
    rows, columns = (torch.arange(size, device=images.device) for size in images.shape[2:])
    inside = _between(rows, top, side)[:, None, :, None] & _between(columns, left, side)[:, None, None, :]
    return images.masked_fill(inside, 0.0)


def _between(places: Tensor, first: Tensor, count: int) -> Tensor:
    return (places >= first) & (places < first + count)
