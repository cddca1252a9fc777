"""What methods of the assisted setting share: one network, its losses by task and domain, and their balance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from isthmus.checks import positive
from isthmus.data.batches import Anchored, AssistedBatch, FullyLabelled
from isthmus.data.pixelwise import AnchoredTasks, PixelTask
from isthmus.data.tasks import Setting
from isthmus.errors import OptionError
from isthmus.methods.base import Method, Plan, Survey, Update
from isthmus.methods.terms.adversary import Adversary
from isthmus.nn.balance import TaskBalance
from isthmus.nn.dense import Dense, DenseNetwork
from isthmus.nn.processes import gathered
from isthmus.nn.pyramids import Pyramid

BELOW = ("encoder", "decoder")
EVERY = (*BELOW, "head")
"""The groups of parameters of the network."""


class AnchoredMethod(Method[AssistedBatch]):
    r"""A network with an output for each task; its losses are weighted so that they have like magnitudes.

    $$\sum_k \lambda_k L_k$$

    over main tasks on the source, and anchor tasks on the domains that the method trains them on. Where no weight is
    given, $\lambda_k$ is the first main task's mean loss over task k's, of the first batches.

    The groups of parameters are the `encoder`, the `decoder` up to the second upsampling layer, and the `head`: all
    layers after it, with the weights of their skip connections (Li et al., section 4).

    Args:
        encoder: its layers 1 to 4.
        tasks: main and anchor tasks.
        anchor_weight: $\lambda$ of anchor tasks, main tasks having weight one; None for the automatic balance.

    Attributes:
        anchored: whether it learns anchor tasks at all.
    """

    setting = Setting.ASSISTED
    anchored: ClassVar[bool] = True

    def __init__(self, encoder: Pyramid, tasks: AnchoredTasks, *, anchor_weight: float | None = None) -> None:
        super().__init__()
        if anchor_weight is not None:
            positive(anchor_weight=anchor_weight)
        if not self.anchored:
            tasks = AnchoredTasks(tasks.main, ())
        self.network = DenseNetwork(encoder, tasks.every)
        with torch.no_grad():
            for task in tasks.every:
                for parameter in self.network.maps[task.name].parameters():
                    parameter.mul_(task.first_scale)
        self.balance = TaskBalance([task.name for task in tasks.every])
        self.tasks = tasks
        self.anchor_weight = anchor_weight
        self.adversaries: list[Adversary] = []

    @property
    def convolutional(self) -> bool:
        return True

    def groups(self) -> dict[str, nn.Module]:
        network = self.network
        parts = {
            "encoder": network.encoder,
            "decoder": nn.ModuleList([*network.modules_at("up-1"), *network.modules_at("up-2")]),
            "head": nn.ModuleList(network.modules_after("up-2")),
        }
        return parts | {adversary.name: adversary for adversary in self.adversaries}

    def take_on(self, adversary: Adversary) -> None:
        """Add a discriminator, with a loss that joins every update once it has begun."""
        if adversary.name in self.groups():
            raise OptionError(f"Expected each term once, but got `{adversary.name}` twice.")
        self.add_module(adversary.name, adversary)
        self.adversaries.append(adversary)

    def learning_rates(self, lr: float, backbone_factor: float) -> dict[str, float]:
        rates = dict.fromkeys(self.groups(), lr)
        rates |= {adversary.name: adversary.lr_factor * lr for adversary in self.adversaries}
        if self.network.encoder.pretrained:
            rates["encoder"] = backbone_factor * lr
        return rates

    def stage_rates(self, decay: float) -> dict[nn.Parameter, float]:
        stages = list(self.network.encoder.stages)
        return {p: decay ** (len(stages) - 1 - i) for i, stage in enumerate(stages) for p in stage.parameters()}

    def check(self, plan: Plan) -> None:
        for adversary in self.adversaries:
            adversary.check(plan)

    def before_epoch(self, epoch: int, progress: float, survey: Survey) -> None:
        for adversary in self.adversaries:
            adversary.begun = progress >= adversary.start

    def predictors(self) -> tuple[DenseNetwork, ...]:
        return (self.network,)

    def source(self, batch: AssistedBatch) -> tuple[Dense, Dense | None]:
        """The network's outputs of the source; of the target too where an adversary compares them."""
        if any(adversary.begun for adversary in self.adversaries):
            return self.network.both(batch.source.images, batch.target.images)
        return self.network(batch.source.images), None

    def main_losses(self, dense: Dense, batch: FullyLabelled) -> dict[str, Tensor]:
        """Of main tasks, by name: (1)."""
        return _losses(self.tasks.main, dense, batch.main)

    def anchor_losses(self, dense: Dense, batch: FullyLabelled | Anchored) -> dict[str, Tensor]:
        """Of anchor tasks, by name: (2) and (3)."""
        return _losses(self.tasks.anchors, dense, batch.anchors)

    def labelled_losses(self, dense: Dense, batch: FullyLabelled) -> dict[str, Tensor]:
        """Of main and anchor tasks where both are labelled, by name: the terms of (4)."""
        return self.main_losses(dense, batch) | self.anchor_losses(dense, batch)

    def all_losses(self, source: Dense, target: Dense, batch: AssistedBatch) -> dict[str, dict[str, Tensor]]:
        """Of main tasks on the source and anchor tasks on both domains, by domain and name: the terms of (6)."""
        return {
            "source": self.labelled_losses(source, batch.source),
            "target": self.anchor_losses(target, batch.target),
        }

    def update(
        self,
        losses: Mapping[str, Mapping[str, Tensor]],
        source: Dense,
        target: Dense | None,
        *,
        on: tuple[str, ...] = EVERY,
    ) -> Update:
        """The weighted sum of losses by domain and task, with the adversaries' where they have begun.

        Args:
            losses: of each domain, by task.
            source: the outputs they come from.
            target: likewise; adversaries wait where there is none.
            on: the groups that it trains.
        """
        weights = self._weights(losses)
        terms = [weights[task] * loss for domain in losses.values() for task, loss in domain.items()]
        log = {f"{task}_{domain}": loss for domain, own in losses.items() for task, loss in own.items()}
        joined = Update(torch.stack(terms).sum(), on=on, log=log)
        for adversary in self.adversaries:
            if adversary.begun and target is not None:
                joined = joined & adversary.update(source, target, on)
        return joined

    def _weights(self, losses: Mapping[str, Mapping[str, Tensor]]) -> Mapping[str, float | Tensor]:
        if self.anchor_weight is not None:
            main, anchors = ([task.name for task in tasks] for tasks in (self.tasks.main, self.tasks.anchors))
            return dict.fromkeys(main, 1.0) | dict.fromkeys(anchors, self.anchor_weight)
        shown: dict[str, list[Tensor]] = {}
        for own in losses.values():
            for task, loss in own.items():
                shown.setdefault(task, []).append(loss)
        weights: dict[str, Tensor] = self.balance({task: torch.stack(found).mean() for task, found in shown.items()})
        return weights


def _losses(tasks: Sequence[PixelTask], dense: Dense, labels: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Means over what is labelled in the whole batch: a process's own counts for as much as it has of that."""
    losses = {}
    for task in tasks:
        own = labels[task.name]
        loss = task.loss(dense.maps[task.name], dense.vectors.get(task.name), own)
        count = task.count(own).to(loss.dtype).reshape(1)
        counts = gathered(count)
        losses[task.name] = loss * (len(counts) * count / counts.sum().clamp(min=1)).squeeze()
    return losses
