"""The nuclear norm of a batch of predictions."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from isthmus.functional.precision import widened


def batch_nuclear_norm(logits: Float[Tensor, "batch classes"]) -> Float[Tensor, ""]:
    r"""Sum of the singular values of the batch's predictions, over the batch size.

    $$\frac{1}{B} \lVert P \rVert_\star, \qquad P_i = \mathrm{softmax}(\text{logits}_i)$$

    Large where predictions are certain and of many classes: at most $\sqrt{\min(B, K) / B}$. The gradient on P,
    $U V^\top / B$, is finite, also where singular values repeat or vanish.

    Source: Cui et al., "Towards discriminability and diversity: batch nuclear-norm maximization under label
    insufficient situations".

    >>> round(batch_nuclear_norm(torch.tensor([[50.0, 0.0], [0.0, 50.0]])).item(), 4)
    1.0
    """
    p = widened(logits).softmax(dim=1)
    # The decomposition refuses what is not finite; a network that diverged is to have the loss NaN, as with any other.
    norm = torch.linalg.matrix_norm(p.nan_to_num(), ord="nuc")
    return torch.where(p.isfinite().all(), norm, torch.nan) / len(p)
