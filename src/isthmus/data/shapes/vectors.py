"""Vectors as three planes, (3, n, …), so that all arithmetic is element by element.

No sum runs over a dimension: its order, and with it the last bit, would depend on how many scenes are drawn together.
"""

from __future__ import annotations

import torch
from torch import Tensor


def dot(a: Tensor, b: Tensor) -> Tensor:
    """Of (3, …) and (3, …)."""
    return torch.addcmul(torch.addcmul(a[0] * b[0], a[1], b[1]), a[2], b[2])


def unit(a: Tensor) -> Tensor:
    """Of length one, (3, …)."""
    return a / dot(a, a).clamp(min=1e-12).sqrt()


def mapped(matrix: Tensor, a: Tensor) -> Tensor:
    """M a, of (3, 3, n) and (3, n); further dimensions of `a` are many vectors a scene."""
    x, y, z = matrix.view(*matrix.shape, *[1] * (a.ndim - 2)).unbind(dim=1)
    return torch.addcmul(torch.addcmul(x * a[0], y, a[1]), z, a[2])


def composed(first: Tensor, second: Tensor) -> Tensor:
    """The matrix product, of (3, 3, n) and (3, 3, n)."""
    return torch.stack([mapped(first, column) for column in second.unbind(dim=1)], dim=1)
