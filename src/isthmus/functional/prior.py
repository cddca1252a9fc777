"""How far features are from a Gaussian prior: DFA, equations (17) and (18)."""

from __future__ import annotations

from typing import Literal

from jaxtyping import Float
from torch import Tensor

from isthmus.functional.precision import widened

Reduction = Literal["element_mean", "batch_mean"]


def prior_divergence(
    features: Float[Tensor, "batch features *places"],
    prior: Float[Tensor, "batch features *places"],
    *,
    reduction: Reduction = "element_mean",
) -> Float[Tensor, ""]:
    r"""(17): divergence of features from samples of the prior, both made distributions by a softmax over dimension 1.

    $$\mathrm{KL}(q \,\|\, p) = \sum_k q_k \log \frac{q_k}{p_k}, \qquad q = \mathrm{softmax}(z_n),
    \quad p = \mathrm{softmax}(G(x))$$

    The paper divides by features that are no distribution; the softmax is that of the authors' code. `batch_mean` is
    the mean of the divergence over batch (and places); `element_mean`, theirs, divides by the number of features too.

    Source: Wang et al., "Discriminative feature alignment", eq. (17).

    >>> import torch
    >>> prior_divergence(torch.zeros(2, 3), torch.ones(2, 3)).item()
    0.0
    """
    log_q, log_p = widened(prior).log_softmax(dim=1), widened(features).log_softmax(dim=1)
    divergence = (log_q.exp() * (log_q - log_p)).sum(dim=1).mean()
    return divergence / features.shape[1] if reduction == "element_mean" else divergence


def decoding_distance(first: Float[Tensor, "batch *image"], second: Float[Tensor, "batch *image"]) -> Float[Tensor, ""]:
    r"""(18): mean absolute difference of what the decoder makes of two batches of features, over all pixels.

    $$\frac{1}{M |x|} \sum_i \| D(G(x^t_i)) - D(z_{n,i}) \|_1$$

    The paper sums over pixels; the weight 10 goes with the mean of the authors' code.

    Source: Wang et al., "Discriminative feature alignment", eq. (18).
    """
    return (widened(first) - widened(second)).abs().mean()
