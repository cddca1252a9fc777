"""Domain-adversarial training on the outputs (Tsai et al., CVPR 2018)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isthmus.checks import at_least
from isthmus.errors import OptionError
from isthmus.functional.adversarial import domain_discrimination, inverted_labels
from isthmus.methods.base import Plan, Update
from isthmus.methods.terms.adversary import Adversary, shown_outputs
from isthmus.nn.dense import Dense
from isthmus.nn.patch_discriminators import SMALLEST, OutputDiscriminator

if TYPE_CHECKING:
    from isthmus.methods.anchored import AnchoredMethod


class OutputAdversary(Adversary):
    r"""A discriminator tells the domains' predictions apart; the network makes the target's pass for the source's.

    $$\min_d E_{domain}(d(\hat{y}^s), d(\hat{y}^t)), \qquad \min_{f, g} \lambda \, \ell(d(\hat{y}^t), \text{source})$$

    Normals are of unit length and segmentations are probabilities before the discriminator sees them.

    Args:
        method: whose outputs.
        weight: $\lambda$.
        start: share of the run after which it begins.
        width: channels of the discriminator's first layer.
        noise: deviation of the noise that is added to what its layers see.
        lr_factor: learning rate of the discriminator over the recipe's.
    """

    name = "output_adversary"

    def __init__(
        self,
        method: AnchoredMethod,
        *,
        weight: float = 0.001,
        start: float = 0.5,
        width: int = 64,
        noise: float = 0.1,
        lr_factor: float = 1.0,
    ) -> None:
        super().__init__(start=start, lr_factor=lr_factor)
        at_least(0, weight=weight)
        self.tasks = method.tasks.every
        channels = sum(task.channels for task in self.tasks)
        self.discriminator = OutputDiscriminator(channels, width=width, noise=noise)
        self.weight = weight

    def check(self, plan: Plan) -> None:
        super().check(plan)
        if min(plan.shape[1:]) < 2 * SMALLEST:
            raise OptionError(
                f"Expected images of at least {2 * SMALLEST} pixels a side for `{self.name}`, which halves their maps "
                f"five times, but got {plan.shape}. Use `feature_adversary:depths=out`."
            )

    def update(self, source: Dense, target: Dense, on: tuple[str, ...]) -> Update:
        shown = (shown_outputs(self.tasks, dense) for dense in (source, target))
        logits_s, logits_t = (self.discriminator(outputs).flatten() for outputs in shown)
        domain, fooling = domain_discrimination(logits_s, logits_t), inverted_labels(logits_t)
        own = Update(domain, on=(self.name,), log={"output_domain": domain})
        return own & Update(self.weight * fooling, on=on, log={"fooling": fooling})
