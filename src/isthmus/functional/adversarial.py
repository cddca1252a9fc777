"""Losses of a binary domain discriminator, from its logits. Source counts as 0, target as 1."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import softplus

from isthmus.functional.precision import widened


def domain_discrimination(
    logits_s: Float[Tensor, "source"],
    logits_t: Float[Tensor, "target"],
    weights_s: Float[Tensor, "source"] | None = None,
    weights_t: Float[Tensor, "target"] | None = None,
) -> Float[Tensor, ""]:
    r"""Cross-entropy of telling the domains apart, each domain weighted by half whatever its batch size.

    $$-\frac{1}{2 n_s} \sum_i \log(1 - D(x^s_i)) - \frac{1}{2 n_t} \sum_j \log D(x^t_j),
    \qquad D = \mathrm{sigmoid}(\text{logit})$$

    With weights, a domain's mean becomes its weighted mean, $\sum_i w_i \ell_i / \sum_i w_i$.

    Source: Ganin et al., "Domain-adversarial training of neural networks", eqs. (8) and (9), which have no half;
    weighted, Long et al., "Conditional adversarial domain adaptation", the loss of CDAN+E. A discriminator that cannot
    tell scores log 2:

    >>> import torch
    >>> round(domain_discrimination(torch.zeros(5), torch.zeros(3)).item(), 4)
    0.6931
    """
    source, target = softplus(widened(logits_s)), softplus(-widened(logits_t))
    return (_mean(source, weights_s) + _mean(target, weights_t)) / 2


def inverted_labels(logits_t: Float[Tensor, "target"]) -> Float[Tensor, ""]:
    r"""Cross-entropy of the target taken for the source: what a network descends to fool the discriminator.

    $$-\frac{1}{n_t} \sum_j \log(1 - D(x^t_j))$$

    Source: Tzeng et al., "Adversarial discriminative domain adaptation", eq. (7), where D is the probability of the
    source. Unlike that of the negated discriminator's loss, its gradient is largest where the discriminator is right.
    """
    return softplus(widened(logits_t)).mean()


def domain_confusion(logits_s: Float[Tensor, "source"], logits_t: Float[Tensor, "target"]) -> Float[Tensor, ""]:
    r"""Cross-entropy between the discriminator's predictions and a uniform distribution over the domains.

    $$\frac12 E_{domain} - \frac{1}{2 n_s} \sum_i \log D(x^s_i) - \frac{1}{2 n_t} \sum_j \log(1 - D(x^t_j)),
    \quad E_{domain} = -\frac{1}{n_s} \sum_i \log(1 - D(x^s_i)) - \frac{1}{n_t} \sum_j \log D(x^t_j)$$

    That is, telling the domains apart as they are and telling them apart with their names exchanged, together.

    Source: Zhang et al., "Domain-symmetric networks for adversarial domain adaptation", eqs. (2) and (3), after Tzeng
    et al., "Simultaneous deep transfer across domains and tasks". Least, 2 log 2, where the discriminator cannot tell:

    >>> import torch
    >>> round(domain_confusion(torch.zeros(5), torch.zeros(3)).item(), 4)
    1.3863
    """
    return domain_discrimination(logits_s, logits_t) + domain_discrimination(logits_t, logits_s)


def _mean(losses: Tensor, weights: Tensor | None) -> Tensor:
    return losses.mean() if weights is None else (weights * losses).sum() / weights.sum()
