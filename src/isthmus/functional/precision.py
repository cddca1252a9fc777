"""Sums and products that half precision would spoil."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def widened(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """The same values in single precision at least.

    >>> widened(torch.ones(2, dtype=torch.bfloat16)).dtype, widened(torch.ones(2, dtype=torch.float64)).dtype
    (torch.float32, torch.float64)
    """
    return x.to(torch.promote_types(x.dtype, torch.float32))


def product(x: Float[Tensor, "*batch rows inner"], y: Float[Tensor, "*batch inner columns"]) -> Tensor:
    """The matrix product (…, rows, columns) in the operands' own precision, also under autocast."""
    with torch.autocast(x.device.type, enabled=False):
        return x @ y
