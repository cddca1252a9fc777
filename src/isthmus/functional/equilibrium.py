r"""The losses of a discriminator that is an auto-encoder, and the balance that holds them in equilibrium.

Source: Berthelot et al., "BEGAN: boundary equilibrium generative adversarial networks", 2017, sections 3.3 and 3.4.
"""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from isthmus.functional.precision import widened


def reconstruction_error(
    images: Float[Tensor, "batch *shape"], reconstructed: Float[Tensor, "batch *shape"]
) -> Float[Tensor, ""]:
    r"""The mean absolute difference of images and what an auto-encoder makes of them.

    $$\mathcal L(v) = \lvert v - D(v) \rvert$$

    >>> import torch
    >>> reconstruction_error(torch.tensor([[0.0, 1.0]]), torch.tensor([[0.5, 1.0]]))
    tensor(0.2500)
    """
    return (widened(images) - widened(reconstructed)).abs().mean()


def equilibrium_balance(
    balance: Float[Tensor, ""],
    real: Float[Tensor, ""],
    generated: Float[Tensor, ""],
    *,
    diversity: float = 0.5,
    rate: float = 0.001,
) -> Float[Tensor, ""]:
    r"""How much the discriminator minds generated images in the next step.

    $$k \leftarrow \operatorname{clip}\big(k + \lambda_k (\gamma \mathcal L(x) - \mathcal L(G(z))), 0, 1\big)$$

    Args:
        balance: k so far.
        real: $\mathcal L(x)$.
        generated: $\mathcal L(G(z))$.
        diversity: $\gamma$: the lower, the nearer generated images keep to the data's middle.
        rate: $\lambda_k$.

    >>> import torch
    >>> k, real, generated = torch.tensor([0.0, 1.0, 0.2]).unbind()
    >>> equilibrium_balance(k, real, generated, rate=0.1)
    tensor(0.0300)
    """
    change = rate * (diversity * widened(real) - widened(generated))
    return (widened(balance) + change).clamp(0, 1).to(balance.dtype)
