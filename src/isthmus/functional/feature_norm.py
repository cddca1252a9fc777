r"""Losses on the norms of features: small norms mark features that transfer badly, larger ones are safe to share.

`norms` are $h_i = \lVert f_i \rVert_2$ of one domain's samples. Source: Xu et al., "Larger norm more transferable: an
adaptive feature norm approach for unsupervised domain adaptation", ICCV 2019.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from isthmus.functional.precision import widened


def norms(features: Float[Tensor, "batch features"]) -> Float[Tensor, "batch"]:
    r"""$\lVert f_i \rVert_2$ of each sample, in single precision at least.

    Features that are all zero have no direction to grow in: their gradient is zero.

    >>> norms(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
    tensor([5., 0.])
    """
    lengths: Tensor = torch.linalg.vector_norm(widened(features), dim=1)
    return lengths


def hard(norms: Float[Tensor, "batch"], *, radius: float) -> Float[Tensor, ""]:
    r"""HAFN: the mean norm is drawn to a fixed radius.

    $$\Big(\frac{1}{n} \sum_i h_i - R\Big)^2$$

    One domain's term.

    >>> hard(torch.tensor([20.0, 26.0]), radius=25.0)
    tensor(4.)
    """
    return (norms.mean() - radius) ** 2


def stepwise(norms: Float[Tensor, "batch"], *, step: float) -> Float[Tensor, ""]:
    r"""SAFN: each norm is drawn to what it is now, enlarged by a step.

    $$\frac{1}{n} \sum_i \big(h_i - (\mathrm{sg}(h_i) + \Delta r)\big)^2$$

    sg stops the gradient. The value is $\Delta r^2$ whatever the norms are; the gradient, $-2 \Delta r / n$ on each
    norm, is what enlarges them.

    One domain's term, eq. (21) of Wang et al., "Discriminative feature alignment".

    >>> stepwise(torch.tensor([20.0, 26.0]), step=0.5)
    tensor(0.2500)
    """
    growth = norms - norms.detach()  # zero exactly, where a step added to a large norm would be rounded
    return ((growth - step) ** 2).mean()
