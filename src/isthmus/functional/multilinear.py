"""Features and predictions joined into one vector: CDAN's conditioning."""

from __future__ import annotations

import math

from jaxtyping import Float
from torch import Tensor


def multilinear(
    features: Float[Tensor, "batch features"], predictions: Float[Tensor, "batch classes"]
) -> Float[Tensor, "batch products"]:
    r"""$T_\otimes(f, g) = f \otimes g$: the products of every feature with every class's probability.

    Source: Long et al., "Conditional adversarial domain adaptation", multilinear conditioning.

    >>> import torch
    >>> multilinear(torch.tensor([[1.0, 2.0]]), torch.tensor([[0.5, 0.25]]))
    tensor([[0.5000, 0.2500, 1.0000, 0.5000]])
    """
    return (features.unsqueeze(2) * predictions.unsqueeze(1)).flatten(1)


def randomised_multilinear(
    features: Float[Tensor, "batch features"],
    predictions: Float[Tensor, "batch classes"],
    matrix_f: Float[Tensor, "features products"],
    matrix_g: Float[Tensor, "classes products"],
) -> Float[Tensor, "batch products"]:
    r"""A random map whose inner products are those of $f \otimes g$ in expectation, in d dimensions.

    $$T_\odot(f, g) = \frac{1}{\sqrt d} (R_f f) \odot (R_g g)$$

    The matrices hold independent entries of mean 0 and variance 1. Source: Long et al., the randomised multilinear map
    and theorem 1.
    """
    return (features @ matrix_f) * (predictions @ matrix_g) / math.sqrt(matrix_f.shape[1])
