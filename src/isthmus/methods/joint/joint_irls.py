"""Joint learning of neural networks: a robust norm finds which layers to share between which domains."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from isthmus.checks import at_least, one_of, positive
from isthmus.data.batches import JointBatch
from isthmus.data.tasks import Classification
from isthmus.errors import OptionError
from isthmus.functional.robust import Weighting, irls_weights, scales
from isthmus.methods.base import Survey, Update
from isthmus.methods.side_by_side import SideBySide, images_and_labels
from isthmus.nn.backbones.base import Backbone
from isthmus.nn.matched_layers import MatchedLayers
from isthmus.nn.pull import Pull


class JointIRLS(SideBySide):
    r"""A network for each domain; blocks of layers are drawn together as far as a robust norm finds them alike.

    $$\min_\theta \sum_i f_i(\theta_i)
    + \lambda \sum_{i < j} \sum_l \rho\big(\lVert \varphi_i^l - \varphi_j^l \rVert, \sigma^l\big)$$

    First with $\rho = x^2$; then $\sigma^l$ is set, and $\rho$ is minimised by iteratively reweighted least squares.
    Between two weightings the networks are trained in turn, one epoch each, with a quadratic pull to the weighted mean
    of the others.

    Deviations: the length of the first stage, which the paper leaves open, is a share of the run; once the weights have
    settled they stay. The pull is a step of its own after each step on the task.

    Args:
        backbone: copied for each domain.
        tasks: of the domains, in order.
        trade_off: $\lambda$.
        weighting: `paper` for the weights of the paper, which minimise the Cauchy norm; `geman_mcclure` for those that
            minimise the norm it states; `none` keeps them at 1, the paper's L2 baseline.
        initial_share: part of the run with all weights 1.
        sweeps: epochs of each network between two weightings.
        tolerance: no weight changes any more once none has changed by more than this.
        pull: `proximal`, or as part of the loss by its `gradient`.
        batch_norm: draw scale and shift of batch norms together too.
        ends: let first and last layer stand in two blocks, as all others do.
    """

    weights: Tensor
    scale: Tensor
    started: Tensor
    settled: Tensor

    def __init__(
        self,
        backbone: Backbone,
        tasks: Sequence[Classification],
        *,
        trade_off: float = 10.0,
        weighting: Literal["paper", "geman_mcclure", "none"] = "paper",
        initial_share: float = 0.25,
        sweeps: int = 1,
        tolerance: float = 1e-2,
        pull: Literal["proximal", "gradient"] = "proximal",
        batch_norm: bool = False,
        ends: bool = False,
    ) -> None:
        super().__init__(backbone, tasks)
        at_least(0, trade_off=trade_off, tolerance=tolerance)
        at_least(1, sweeps=sweeps)
        positive(initial_share=initial_share)
        if initial_share > 1:
            raise OptionError(f"Expected `initial_share` of at most 1, but got {initial_share}.")
        one_of(("paper", "geman_mcclure", "none"), weighting=weighting)
        one_of(("proximal", "gradient"), pull=pull)
        self.trade_off = trade_off
        self.weighting: Weighting | None = None if weighting == "none" else weighting
        self.initial_share = initial_share
        self.sweeps = sweeps
        self.tolerance = tolerance
        self.proximal = pull == "proximal"
        backbones = [self.network(place)[0] for place in range(self.domains)]
        self.layers = MatchedLayers(backbones, batch_norm=batch_norm, ends=ends)
        weights = self.layers.unit_weights()
        self.register_buffer("weights", weights)
        self.register_buffer("scale", weights.new_zeros(len(weights)))
        self.register_buffer("started", torch.tensor(-1))  # the epoch of the first weighting
        self.register_buffer("settled", torch.tensor(False))
        self.turn: tuple[int, Pull] | None = None

    def before_epoch(self, epoch: int, progress: float, survey: Survey) -> None:
        self.turn = None
        if self.weighting is None or progress < self.initial_share or self.settled:
            return
        if self.started < 0:
            self.started.fill_(epoch)
        elif (epoch - int(self.started)) % self.sweeps:
            return
        squared = self.layers.squared_distances()
        if self.started == epoch:
            self.scale.copy_(scales(squared))
        weights = irls_weights(squared, self.scale.to(squared), self.weighting)
        self.settled.fill_(bool((weights - self.weights.to(weights)).abs().max() <= self.tolerance))
        self.weights.copy_(weights)

    def steps(self, batch: JointBatch, progress: float) -> Iterator[Update]:
        images, labels = images_and_labels(batch)
        backbone, head = self.network(batch.domain)
        task = cross_entropy(head(backbone(images)), labels)
        pull, on, log = self._pull(batch.domain), self.group_names(batch.domain), {"task": task}
        if self.proximal:
            yield Update(task, on=on, log=log, then=pull.step)
        else:
            yield Update(task + pull.loss(), on=on, log=log)

    def findings(self) -> dict[str, Tensor]:
        return {"weights": self.weights, "scale": self.scale}

    def _pull(self, domain: int) -> Pull:
        """The others rest while a network has its turn: one pull serves until the next one's."""
        if self.turn is None or self.turn[0] != domain:
            self.turn = domain, self.layers.pull(domain, self.weights, self.trade_off)
        return self.turn[1]
