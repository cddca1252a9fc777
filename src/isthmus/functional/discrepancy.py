"""How far classifiers disagree, from their logits."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from isthmus.functional.precision import widened


def discrepancy(first: Float[Tensor, "batch classes"], second: Float[Tensor, "batch classes"]) -> Float[Tensor, ""]:
    r"""Mean absolute difference of two classifiers' probabilities.

    $$d(p_1, p_2) = \frac{1}{B K} \sum_i \sum_k |p_{1k}(x_i) - p_{2k}(x_i)|$$

    Source: Saito et al., "Maximum classifier discrepancy for unsupervised domain adaptation", eq. (1).
    Certain of different classes, two classifiers of two classes disagree by 1:

    >>> import torch
    >>> discrepancy(torch.tensor([[50.0, 0.0]]), torch.tensor([[0.0, 50.0]])).item()
    1.0
    """
    return (widened(first).softmax(dim=1) - widened(second).softmax(dim=1)).abs().mean()
