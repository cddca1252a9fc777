"""Domain-adversarial training on feature maps and outputs, at one or several depths (Ganin et al., JMLR 2016)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from isthmus.checks import at_least, one_of
from isthmus.errors import OptionError
from isthmus.functional.adversarial import domain_discrimination
from isthmus.methods.base import Update
from isthmus.methods.terms.adversary import Adversary, shown_outputs
from isthmus.nn.dense import DEPTHS, Dense
from isthmus.nn.gradient_reversal import reverse_gradient
from isthmus.nn.patch_discriminators import PatchDiscriminator

if TYPE_CHECKING:
    from isthmus.methods.anchored import AnchoredMethod

FIRST = {"encoder": "layer-1", "decoder": "up-1", "head": "up-3"}
"""The first depth of each of the network's groups."""


class FeatureAdversary(Adversary):
    r"""A discriminator a depth tells the domains' feature maps apart, place by place; reversed gradients prevent it.

    $$\frac{1}{|P|} \sum_{p \in P} E_{domain}(d_p(R_\lambda(f_p(x))))$$

    with R the gradient reversal: the minimax game (7) of Li et al. as one minimisation, with discriminators of patches.
    At `out`, $f_p$ are the outputs of all tasks: normals of unit length, segmentations as probabilities.

    Args:
        method: whose features.
        depths: P, parted by slashes: `layer-4/out`. From `layer-1` to `up-3`, and `out`.
        weight: $\lambda$.
        start: share of the run after which it begins.
        hidden: channels of a discriminator's hidden layer.
        noise: deviation of the noise that is added to what a discriminator's layers see.
        lr_factor: learning rate of the discriminators over the recipe's.
    """

    name = "feature_adversary"

    def __init__(
        self,
        method: AnchoredMethod,
        *,
        depths: str = "layer-4",
        weight: float = 0.1,
        start: float = 0.5,
        hidden: int = 64,
        noise: float = 0.1,
        lr_factor: float = 1.0,
    ) -> None:
        super().__init__(start=start, lr_factor=lr_factor)
        at_least(0, weight=weight)
        self.depths = depths.split("/")
        for depth in self.depths:
            one_of(DEPTHS, depths=depth)
        if len(set(self.depths)) < len(self.depths):
            raise OptionError(f"Expected each of `depths` once, but got `{depths}`.")
        self.tasks = method.tasks.every
        outputs = sum(task.channels for task in self.tasks)
        channels = dict(zip(DEPTHS, (*method.network.channels, outputs)))
        self.discriminators = nn.ModuleDict(
            {depth: PatchDiscriminator(channels[depth], hidden=hidden, noise=noise) for depth in self.depths}
        )
        self.weight = weight

    def update(self, source: Dense, target: Dense, on: tuple[str, ...]) -> Update:
        losses = []
        for depth, discriminator in self.discriminators.items():
            features = (reverse_gradient(self._maps(dense, depth), self.weight) for dense in (source, target))
            losses.append(domain_discrimination(*(discriminator(maps).flatten() for maps in features)))
        domain = torch.stack(losses).mean()
        return Update(domain, on=(*self._reached(on), self.name), log={"domain": domain})

    def _maps(self, dense: Dense, depth: str) -> Tensor:
        return shown_outputs(self.tasks, dense) if depth == "out" else dense.features[depth]

    def _reached(self, on: tuple[str, ...]) -> tuple[str, ...]:
        """Of the network's groups, those that the deepest of the depths depends on."""
        deepest = max(DEPTHS.index(depth) for depth in self.depths)
        return tuple(group for group in on if deepest >= DEPTHS.index(FIRST[group]))
