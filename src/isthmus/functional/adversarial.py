"""Losses of a binary domain discriminator, from its logits. Source counts as 0, target as 1."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus


def domain_discrimination(logits_s: Float[Tensor, "source"], logits_t: Float[Tensor, "target"]) -> Float[Tensor, ""]:
    r"""Cross-entropy of telling the domains apart, each domain weighted by half whatever its batch size.

    $$-\frac{1}{2 n_s} \sum_i \log(1 - D(x^s_i)) - \frac{1}{2 n_t} \sum_j \log D(x^t_j),
    \qquad D = \mathrm{sigmoid}(\text{logit})$$

    Source: Ganin et al., "Domain-adversarial training of neural networks", eqs. (8) and (9). A discriminator that
    cannot tell scores log 2:

    >>> import torch
    >>> round(domain_discrimination(torch.zeros(5), torch.zeros(3)).item(), 4)
    0.6931
    """
    return (softplus(logits_s).mean() + softplus(-logits_t).mean()) / 2
