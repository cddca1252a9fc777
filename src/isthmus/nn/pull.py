"""The pull of one network's layers towards given values: the coupled networks' part in its training."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor


class Pull:
    r"""The quadratic term $\sum_l s^l \lVert \theta^l - m^l \rVert^2$ of one network's objective.

    For network i in joint learning $s^l = \lambda c_i^l$ with $c_i^l = \sum_j w_{ij}^l$, and $m^l$ is the weighted mean
    of the other networks. It enters training either as a step of its own after each step on the task (`step`), or as a
    part of the loss (`loss`); on a quadratic task both come to rest at the same weights.

    Args:
        parameters: what is pulled.
        means: where to, a tensor for each parameter.
        strengths: how strongly, a number for each parameter.
    """

    def __init__(self, parameters: Sequence[Tensor], means: Sequence[Tensor], strengths: Sequence[float]) -> None:
        self.parameters = list(parameters)
        self.means = list(means)
        self.strengths = list(strengths)

    def of(self, parameters: Iterable[Tensor]) -> Pull:
        """The part of it that concerns some parameters, such as those that have just been stepped."""
        chosen = set(parameters)
        rows = [row for row in zip(self.parameters, self.means, self.strengths) if row[0] in chosen]
        return Pull([row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows])

    @torch.no_grad()
    def step(self, reach: Callable[[Tensor], float | Tensor]) -> None:
        r"""The proximal step, in place: stable for every strength and learning rate.

        $$\theta^l \leftarrow \frac{\theta^l + 2 \eta s^l m^l}{1 + 2 \eta s^l}$$

        Args:
            reach: $\eta$ of a parameter, or of each of its elements: how far a constant gradient of the task moves it
                in the end. Else momentum, or Adam's division by the size of gradients, outweighs the pull.
        """
        if self.parameters:
            forces = [2 * strength * reach(p) for p, strength in zip(self.parameters, self.strengths)]
            fractions: Any = [force / (1 + force) for force in forces]  # all numbers, or all tensors
            torch._foreach_lerp_(self.parameters, self.means, fractions)

    def loss(self) -> Tensor:
        r"""The term itself, for the gradient $2 s^l (\theta^l - m^l)$; unstable where $\eta s^l$ exceeds 1."""
        terms = [
            strength * (parameter - mean).square().sum()
            for parameter, mean, strength in zip(self.parameters, self.means, self.strengths)
        ]
        return torch.stack(terms).sum() if terms else torch.zeros(())
