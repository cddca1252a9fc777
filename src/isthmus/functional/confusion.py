"""How much a batch of predictions confuses the classes."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from isthmus.functional.precision import widened


def class_confusion(logits: Float[Tensor, "batch classes"], weights: Float[Tensor, "batch"]) -> Float[Tensor, ""]:
    r"""Share of a class's predicted mass that its images give to other classes, averaged over classes.

    $$\frac{1}{K} \sum_j \sum_{j' \ne j} \tilde C_{jj'}, \qquad \tilde C_{jj'} = \frac{C_{jj'}}{\sum_{j''} C_{jj''}},
    \qquad C_{jj'} = \sum_i w_i p_{ij} p_{ij'}, \qquad p_i = \mathrm{softmax}(\text{logits}_i)$$

    Source: Jin et al., "Minimum class confusion for versatile domain adaptation". As predictions sum to one, a row of C
    sums to $\sum_i w_i p_{ij}$ and its diagonal tells the rest: C is never formed, and a common factor of the weights
    cancels. In logarithms, so that a class nobody predicts divides by no zero.

    >>> import torch
    >>> round(class_confusion(torch.zeros(3, 4), torch.ones(3)).item(), 4)  # 3 of 4 parts go elsewhere
    0.75
    """
    log_p = widened(logits).log_softmax(dim=1)
    log_wp = log_p + weights.log().unsqueeze(1)
    log_diagonal = (log_wp + log_p).logsumexp(dim=0) - log_wp.logsumexp(dim=0)
    return 1 - log_diagonal.exp().mean()
