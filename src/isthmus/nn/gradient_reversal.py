"""Gradient reversal, the layer that turns a minimisation into a minimax game."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class _GradientReversal(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, features: Tensor, strength: float) -> Tensor:
        ctx.strength = strength
        return features.view_as(features)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[Tensor, None]:
        (gradient,) = gradients
        return gradient * -ctx.strength, None


def reverse_gradient(features: Tensor, strength: float = 1.0) -> Tensor:
    r"""Identity forward; backward, the gradient times $-\lambda$.

    $$R_\lambda(x) = x, \qquad \frac{dR_\lambda}{dx} = -\lambda I$$

    Source: Ganin et al., "Domain-adversarial training of neural networks", eqs. (16) and (17).

    >>> x = torch.ones(2, requires_grad=True)
    >>> reverse_gradient(x, 0.5).sum().backward()
    >>> x.grad
    tensor([-0.5000, -0.5000])
    """
    reversed_features: Tensor = _GradientReversal.apply(features, strength)
    return reversed_features
