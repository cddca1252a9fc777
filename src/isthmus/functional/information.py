"""Entropy and mutual information of predictions, from logits."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from isthmus.functional.precision import widened


def entropy(logits: Float[Tensor, "batch classes"]) -> Float[Tensor, ""]:
    r"""Mean entropy of the predicted distributions, in nats.

    $$\frac{1}{B} \sum_i H(p_i), \qquad H(p) = -\sum_k p_k \log p_k, \qquad p_i = \mathrm{softmax}(\text{logits}_i)$$

    Source: Grandvalet and Bengio, "Semi-supervised learning by entropy minimization".

    >>> round(entropy(torch.zeros(3, 4)).item(), 4)  # log 4
    1.3863
    """
    log_p = widened(logits).log_softmax(dim=1)
    return -(log_p.exp() * log_p).sum(dim=1).mean()


def marginal_entropy(logits: Float[Tensor, "batch classes"]) -> Float[Tensor, ""]:
    r"""Entropy of the mean prediction, $H(\frac{1}{B}\sum_i p_i)$, in nats: high when all classes are predicted.

    >>> round(marginal_entropy(torch.tensor([[50.0, 0.0], [0.0, 50.0]])).item(), 4)  # log 2
    0.6931
    """
    log_p = widened(logits).log_softmax(dim=1)
    log_mean = log_p.logsumexp(dim=0) - torch.tensor(float(len(logits)), dtype=log_p.dtype, device=log_p.device).log()
    return -(log_mean.exp() * log_mean).sum()


def mutual_information(logits: Float[Tensor, "batch classes"]) -> Float[Tensor, ""]:
    r"""Mutual information between inputs and predicted classes, in nats.

    $$I = H\Big(\frac{1}{B}\sum_i p_i\Big) - \frac{1}{B}\sum_i H(p_i)$$

    Between 0 (every input gets the same prediction) and $\log K$ (confident and spread over all K classes).
    Source: Bridle et al., "Unsupervised classifiers, mutual information and phantom targets"; as the objective
    "information maximisation" in Shi and Sha, "Information-theoretical learning of discriminative clusters".

    >>> round(mutual_information(torch.tensor([[50.0, 0.0], [0.0, 50.0]])).item(), 4)  # log 2
    0.6931
    """
    return marginal_entropy(logits) - entropy(logits)


def entropy_weights(logits: Float[Tensor, "batch classes"]) -> Float[Tensor, "batch"]:
    r"""A weight for each sample, larger the more certain its prediction: $1 + e^{-H(p_i)}$, from $1 + 1/K$ to 2.

    Source: Long et al., "Conditional adversarial domain adaptation", entropy conditioning; Jin et al., "Minimum class
    confusion for versatile domain adaptation", uncertainty reweighting.

    >>> entropy_weights(torch.tensor([[0.0, 0.0], [50.0, 0.0]]))
    tensor([1.5000, 2.0000])
    """
    log_p = widened(logits).log_softmax(dim=1)
    return 1 + (log_p.exp() * log_p).sum(dim=1).exp()
