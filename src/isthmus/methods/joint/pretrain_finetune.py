"""One network for all domains first, then a copy of it for each alone."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from isthmus.checks import below, positive
from isthmus.data.batches import JointBatch
from isthmus.data.tasks import DomainTask
from isthmus.methods.base import Predictor, Stage, Update
from isthmus.methods.learners import Learner
from isthmus.methods.side_by_side import DomainNetworks, SideBySide, one_architecture


class PretrainFinetune(SideBySide):
    r"""One network is trained on the tasks of all domains, then a copy of it on each domain's alone.

    $$\min_{\theta} \sum_i f_i(\theta) \quad \text{then} \quad \min_{\theta_i} f_i(\theta_i) \text{ for each } i$$

    In the first part domains of the same classes have one classifier; other groups that are not matched are each
    domain's own throughout. The second part has optimisers and a schedule of its own. Domains take turns batch by
    batch.

    Source: Zhang et al., "Joint learning of neural networks via iterative reweighted least squares", 2019, section 5,
    the baselines.

    Args:
        network: of all domains.
        tasks: of the domains, in order.
        pretrain_share: part of the run that is spent on all domains together; the paper leaves it open.
    """

    turns = "batch"
    apart: Tensor

    def __init__(self, network: DomainNetworks, *tasks: DomainTask, pretrain_share: float = 0.5) -> None:
        super().__init__(one_architecture(network), tasks)
        positive(pretrain_share=pretrain_share)
        below(1, pretrain_share=pretrain_share)
        self.pretrain_share = pretrain_share
        self.register_buffer("apart", torch.tensor(False))

    def stages(self) -> tuple[Stage[JointBatch], ...]:
        return (
            Stage("pretrain", self._pretraining_steps, until=self.pretrain_share),
            Stage("finetune", self.steps, begin=self._part),
        )

    def predictors(self) -> tuple[Predictor, ...]:
        """What prediction needs, for each domain: of the common networks as long as there are no others."""
        if self.apart:
            return super().predictors()
        return tuple(self._on_common(place).predictor() for place in range(self.domains))

    def _common(self, place: int) -> dict[str, nn.Module]:
        """What stands for a domain's groups while one network is trained for all."""
        names = [name for name, _ in self.learner(place).named_children()]
        return {name: self.learner(self.first_with(place, name)).get_submodule(name) for name in names}

    def _on_common(self, place: int) -> Learner:
        return self.learner(place).borrowing(self._common(place))

    def _pretraining_steps(self, batch: JointBatch, progress: float) -> Iterator[Update]:
        learner = self._on_common(batch.domain)
        places = {name: self.first_with(batch.domain, name) for name, _ in learner.named_children()}
        names = {name: (self.group_name(place, name),) for name, place in places.items()}
        for update in learner.steps(batch.samples):
            yield update.named(names)

    def _part(self) -> None:
        """Give every domain a copy of the common networks."""
        for place in range(1, self.domains):
            for name, group in self._common(place).items():
                self.learner(place).get_submodule(name).load_state_dict(group.state_dict())
        self.apart.fill_(True)
