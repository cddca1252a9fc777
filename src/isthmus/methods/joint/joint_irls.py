"""Joint learning of neural networks: a robust norm finds which layers to share between which domains."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from isthmus.checks import at_least, leaves_an_epoch, one_of, positive
from isthmus.data.batches import JointBatch
from isthmus.data.tasks import DomainTask
from isthmus.errors import OptionError
from isthmus.functional.parameters import running_means
from isthmus.functional.robust import Norm, Weighting, consistency, irls_weights, scales
from isthmus.methods.base import Plan, Survey, Update
from isthmus.methods.side_by_side import DomainNetworks, SideBySide
from isthmus.nn.matched_layers import MatchedLayers
from isthmus.nn.pull import Pull

PullForm = Literal["proximal", "gradient"]
"""A step of its own after each step on the task, or a part of the loss."""

Order = Literal["in_turn", "together"]
"""Networks are drawn to where the others are now, one after another; or all to where they were before the epoch."""

WeightingOption = Literal["paper", "geman_mcclure", "none"]


class JointIRLS(SideBySide):
    r"""A network for each domain; blocks of layers are drawn together as far as a robust norm finds them alike.

    $$\min_\theta \sum_i f_i(\theta_i)
    + \lambda \sum_{i < j} \sum_l \rho\big(\lVert \varphi_i^l - \varphi_j^l \rVert, \sigma^l\big)$$

    First with $\rho = x^2$; then $\sigma^l$ is set, and $\rho$ is minimised by iteratively reweighted least squares.
    Between two weightings the networks are trained in turn, one epoch each, with a quadratic pull to the weighted mean
    of the others: block coordinate descent, or Gauss–Seidel. Trained together, all of them in the epoch from the means
    of before it (Jacobi), none waits for another; then they can be spread over processes.

    Source: Zhang et al., "Joint learning of neural networks via iterative reweighted least squares", 2019, section 3;
    its $\lambda$ is 10.

    Deviations: $\lambda$ is 0.1, as losses here are means. The length of the first stage, which the paper leaves open,
    is a share of the run; once the weights have settled they stay. The pull is a step of its own after each step on the
    task.

    Args:
        network: copied for each domain, or one for each.
        tasks: of the domains, in order.
        trade_off: $\lambda$.
        weighting: `paper` for the weights of the paper, which minimise the Cauchy norm; `geman_mcclure` for those that
            minimise the norm it states; `none` keeps them at 1, the paper's L2 baseline.
        initial_share: part of the run with all weights 1.
        order: `in_turn` or `together`.
        sweeps: epochs of each network between two weightings.
        tolerance: no weight changes any more once none has changed by more than this.
        pull: `proximal`, or as part of the loss by its `gradient`.
        shared: patterns of names of the layers that may be drawn together, parted by slashes: `backbone.*`.
        unshared: patterns of those that may not.
        batch_norm: draw scale and shift of batch norms together too.
        ends: let first and last layer stand in two blocks, as all others do.

    Attributes:
        weightings: the weights of every weighting so far, (weightings, blocks, domains, domains).
        weighted_at: the number of finished epochs at each.
        scale: $\sigma$ of each block; 0 before the first weighting.
        consistency: the term that $\lambda$ multiplies, with the norm in force, before each epoch so far.
    """

    weightings: Tensor
    weighted_at: Tensor
    scale: Tensor
    consistency: Tensor

    def __init__(
        self,
        network: DomainNetworks,
        *tasks: DomainTask,
        trade_off: float = 0.1,
        weighting: WeightingOption = "paper",
        initial_share: float = 0.5,
        order: Order = "in_turn",
        sweeps: int = 5,
        tolerance: float = 1e-2,
        pull: PullForm = "proximal",
        shared: str = "*",
        unshared: str = "",
        batch_norm: bool = False,
        ends: bool = False,
    ) -> None:
        super().__init__(network, tasks)
        at_least(0, trade_off=trade_off, tolerance=tolerance)
        at_least(1, sweeps=sweeps)
        positive(initial_share=initial_share)
        if initial_share > 1:
            raise OptionError(f"Expected `initial_share` of at most 1, but got {initial_share}.")
        one_of(get_args(WeightingOption), weighting=weighting)
        one_of(get_args(Order), order=order)
        one_of(get_args(PullForm), pull=pull)
        self.trade_off = trade_off
        self.weighting: Weighting | None = None if weighting == "none" else weighting
        self.initial_share = initial_share
        self.together = order == "together"
        self.sweeps = sweeps
        self.tolerance = tolerance
        self.proximal = pull == "proximal"
        networks = [self.matched_network(place) for place in range(self.domains)]
        apart = unshared.split("/") if unshared else []
        self.layers = MatchedLayers(
            networks, shared=shared.split("/"), unshared=apart, batch_norm=batch_norm, ends=ends
        )
        unit = self.layers.unit_weights()
        self.register_buffer("weightings", unit.new_zeros(0, *unit.shape))
        self.register_buffer("weighted_at", torch.zeros(0, dtype=torch.long))
        self.register_buffer("scale", unit.new_zeros(len(unit)))
        self.register_buffer("consistency", unit.new_zeros(0))
        self.pulls: dict[int, Pull] = {}

    @property
    def independent(self) -> tuple[tuple[str, ...], ...]:
        return (
            tuple(tuple(chain(*self.names(place).values())) for place in range(self.domains)) if self.together else ()
        )

    @property
    def weights(self) -> Tensor:
        """Those in force, (blocks, domains, domains)."""
        return self.weightings[-1] if len(self.weightings) else self.layers.unit_weights()

    @property
    def settled(self) -> bool:
        """Whether the last weighting changed no weight by more than the tolerance."""
        if len(self.weightings) < 2:
            return False
        return bool((self.weightings[-1] - self.weightings[-2]).abs().max() <= self.tolerance)

    def check(self, plan: Plan) -> None:
        if self.weighting is not None and self.initial_share < 1:
            instead = "joint_irls:weighting=none"
            leaves_an_epoch(plan.epochs, of="joint_irls", instead=instead, initial_share=self.initial_share)

    def before_epoch(self, epoch: int, progress: float, survey: Survey) -> None:
        squared = self.layers.squared_distances()
        if self.weighting is not None and progress >= self.initial_share and self._is_due(epoch):
            if not len(self.weightings):
                self.scale.copy_(scales(squared))
            weights = irls_weights(squared, self.scale.to(squared), self.weighting)
            self.weightings = torch.cat([self.weightings, weights[None].to(self.weightings)])
            self.weighted_at = torch.cat([self.weighted_at, self.weighted_at.new_tensor([epoch])])
        self.consistency = torch.cat([self.consistency, self._consistency(squared)[None]])
        self.pulls = self.layers.pulls(survey.domains, self.weights, self.trade_off) if self.together else {}

    def steps(self, batch: JointBatch, progress: float) -> Iterator[Update]:
        learner = self.learner(batch.domain)
        names = (*self.matched, *learner.labelled)
        matched = {self.group_name(batch.domain, name): learner.get_submodule(name) for name in names}
        for update in super().steps(batch, progress):
            pulled = [name for name in matched if name in update.groups]
            pull = self._pull(batch.domain).of(p for name in pulled for p in matched[name].parameters())
            if self.proximal:
                update.then = pull.step
            elif pulled:
                update &= Update(pull.loss(), on=tuple(pulled))
            yield update

    def findings(self) -> dict[str, Tensor | Sequence[str]]:
        """Weights of every weighting, when they were set and for which blocks, and the consistency by epoch."""
        last = self._consistency(self.layers.squared_distances())[None]
        return {
            "weightings": torch.cat([self.layers.unit_weights().to(self.weightings)[None], self.weightings]),
            "weighted_at": self.weighted_at,
            "consistency": torch.cat([self.consistency, last]),
            "layers": self.layers.names,
            "blocks": self.layers.standing,
        }

    def _is_due(self, epoch: int) -> bool:
        if not len(self.weighted_at):
            return True
        return not self.settled and (epoch - int(self.weighted_at[0])) % self.sweeps == 0

    def _consistency(self, squared: Tensor) -> Tensor:
        """Of the norm in force: squared at first, then the one that the weights minimise."""
        norms: dict[Weighting | None, Norm] = {"paper": "cauchy", "geman_mcclure": "geman_mcclure"}
        norm = norms[self.weighting] if len(self.weightings) and self.weighting else "squared"
        return consistency(squared, self.scale.to(squared), norm).to(self.consistency)

    def _pull(self, domain: int) -> Pull:
        """In turn, the others rest while a network has its turn: one pull serves until the next one's."""
        if domain not in self.pulls:
            self.pulls = self.layers.pulls([domain], self.weights, self.trade_off, running_means)
        return self.pulls[domain]

    def _load_from_state_dict(self, state_dict: dict[str, Tensor], prefix: str, *rest: Any) -> None:
        for name in ("weightings", "weighted_at", "consistency"):  # they grow in training
            if (kept := state_dict.get(prefix + name)) is not None:
                setattr(self, name, getattr(self, name).new_zeros(kept.shape))
        super()._load_from_state_dict(state_dict, prefix, *rest)
