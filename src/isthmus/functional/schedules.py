"""Quantities that change over training, as functions of its progress p in [0, 1]."""

from __future__ import annotations

import math


def ramp(progress: float, *, gamma: float = 10.0) -> float:
    r"""Trade-off that rises smoothly from 0 to 1.

    $$\lambda_p = \frac{2}{1 + e^{-\gamma p}} - 1$$

    Source: Ganin et al., "Domain-adversarial training of neural networks", section 5.2; SymNets, section 4.1.

    >>> ramp(0.0)
    0.0
    >>> round(ramp(0.5), 4)
    0.9866
    """
    return 2.0 / (1.0 + math.exp(-gamma * progress)) - 1.0


def annealing(progress: float, *, alpha: float = 10.0, beta: float = 0.75) -> float:
    r"""Factor of the learning rate that falls from 1 to $(1 + \alpha)^{-\beta}$.

    $$\eta_p / \eta_0 = (1 + \alpha p)^{-\beta}$$

    Source: Ganin et al., section 5.2; SymNets, section 4.1.

    >>> annealing(0.0)
    1.0
    >>> round(annealing(1.0), 4)
    0.1656
    """
    return math.pow(1.0 + alpha * progress, -beta)


def cosine(progress: float) -> float:
    r"""Factor of the learning rate that falls from 1 to 0 along half a period of the cosine.

    $$\eta_p / \eta_0 = \tfrac{1}{2} (1 + \cos \pi p)$$

    Source: Loshchilov and Hutter, "SGDR: Stochastic gradient descent with warm restarts", equation 5, without restarts.

    >>> cosine(0.0), cosine(1.0)
    (1.0, 0.0)
    >>> round(cosine(0.25), 4)
    0.8536
    """
    return (1.0 + math.cos(math.pi * progress)) / 2.0
