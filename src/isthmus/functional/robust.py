r"""Robust norms of the distances between networks, and the weights by which least squares minimise them: IRLS.

Distances come in blocks of layers, (blocks, n, n) between n networks, always squared: that is how they are computed,
and a square root has no derivative where two networks are equal. Two networks that have no such block in common are
infinitely far apart. Each block has a scale $\sigma$. A scale of zero is the limit of small ones: distance zero has
weight 1, any other weight 0.

Source: "Joint learning of neural networks via iterative reweighted least squares", sections 4.1 and 4.2.
"""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from isthmus.functional.precision import widened

Norm = Literal["squared", "cauchy", "geman_mcclure"]
"""A function of the distance that is to be small: $x^2$, or one that grows more slowly far out."""

Weighting = Literal["paper", "geman_mcclure"]
"""How a pair's distance becomes its weight: `paper` minimises the Cauchy norm, `geman_mcclure` that of its name."""


def geman_mcclure(
    squared: Float[Tensor, "*batch rows columns"], scale: Float[Tensor, "*batch"]
) -> Float[Tensor, "*batch rows columns"]:
    r"""$x^2$ near zero and $\sigma^2$ far out: the paper's variant of the Huber norm, of finite distances.

    $$\rho(x, \sigma) = \frac{\sigma^2 x^2}{\sigma^2 + x^2}$$

    Source: section 4.1, where the equation follows from its limits and from the weights in section 4.2.

    >>> geman_mcclure(torch.tensor([[0.0, 4.0, 1e12]]), torch.tensor(2.0))
    tensor([[0., 2., 4.]])
    """
    return widened(squared) * _share(squared, scale)


def cauchy(
    squared: Float[Tensor, "*batch rows columns"], scale: Float[Tensor, "*batch"]
) -> Float[Tensor, "*batch rows columns"]:
    r"""$x^2$ near zero and logarithmic far out: the norm that the paper's weights minimise, of finite distances.

    $$\sigma^2 \log\Big(1 + \frac{x^2}{\sigma^2}\Big)$$

    >>> cauchy(torch.tensor([[0.0, 1.0]]), torch.tensor(1.0))
    tensor([[0.0000, 0.6931]])
    """
    scale_squared = widened(scale).square()[..., None, None]
    return scale_squared * (widened(squared) / torch.where(scale_squared > 0, scale_squared, 1.0)).log1p()


def consistency(
    squared: Float[Tensor, "*batch n n"], scale: Float[Tensor, "*batch"], norm: Norm = "geman_mcclure"
) -> Float[Tensor, ""]:
    r"""How far n networks are from sharing every block: the term that $\lambda$ multiplies.

    $$\sum_l \sum_{i < j} \rho\big(\lVert \varphi_i^l - \varphi_j^l \rVert, \sigma^l\big)$$

    Source: section 4.1, each pair once. Pairs that are infinitely far apart do not count.
    """
    squared = torch.where(squared.isfinite(), widened(squared), 0.0)
    if norm != "squared":
        squared = (cauchy if norm == "cauchy" else geman_mcclure)(squared, scale)
    return squared.triu(diagonal=1).sum()


def irls_weights(
    squared: Float[Tensor, "*batch n n"], scale: Float[Tensor, "*batch"], weighting: Weighting = "paper"
) -> Float[Tensor, "*batch n n"]:
    r"""The weights of the squared distances in the next weighted least squares problem; zero on the diagonal.

    $$w_{ij}^l = \frac{\sigma_l^2}{\sigma_l^2 + \lVert \varphi_i^l - \varphi_j^l \rVert^2}$$

    Weighted least squares never raise a norm $\rho$ that is concave in $x^2$ if $w = \partial \rho / \partial x^2$.
    The paper divides $\rho$ itself by $x^2$, and so minimises the Cauchy norm; `geman_mcclure` squares the weights
    above, and minimises the norm that the paper writes down.

    Source: section 4.2.2.

    >>> irls_weights(torch.tensor([[0.0, 3.0], [3.0, 0.0]]), torch.tensor(1.0))
    tensor([[0.0000, 0.2500],
            [0.2500, 0.0000]])
    """
    weights = _share(squared, scale)
    if weighting == "geman_mcclure":
        weights = weights.square()
    return weights.masked_fill(_diagonal(squared), 0.0)


def scales(squared: Float[Tensor, "*batch n n"]) -> Float[Tensor, "*batch"]:
    r"""The scale of each block: the mean distance of a network to the nearest other.

    $$\sigma^l = \frac1n \sum_i \min_{j \ne i} \lVert \varphi_i^l - \varphi_j^l \rVert$$

    Networks that share the block with no other are left out of the mean. Source: section 4.2.1.

    >>> scales(torch.tensor([[0.0, 1.0, 9.0], [1.0, 0.0, 4.0], [9.0, 4.0, 0.0]]))  # (1 + 1 + 2) / 3
    tensor(1.3333)
    """
    nearest = widened(squared).masked_fill(_diagonal(squared), torch.inf).amin(dim=-1).sqrt()
    sharing = nearest.isfinite()
    return torch.where(sharing, nearest, 0.0).sum(dim=-1) / sharing.sum(dim=-1).clamp(min=1)


def _share(squared: Tensor, scale: Tensor) -> Tensor:
    """σ² / (σ² + x²), and 1 where both are zero."""
    scale_squared = widened(scale).square()[..., None, None]
    total = scale_squared + widened(squared)
    return torch.where(total > 0, scale_squared / torch.where(total > 0, total, 1.0), 1.0)


def _diagonal(squared: Tensor) -> Tensor:
    return torch.eye(squared.shape[-1], dtype=torch.bool, device=squared.device)
