"""What methods with networks for each of several domains have in common."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import cast

from torch import nn

from isthmus.data.batches import JointBatch
from isthmus.data.tasks import DomainTask, Setting
from isthmus.methods.base import Method, Predictor, Update
from isthmus.methods.learners import DomainNetwork, Learner, learner_for


class SideBySide(Method[JointBatch]):
    """A learner for each domain, all from the same initial weights. What the task is, only they know.

    The groups of the first domain have the names that its learner gives them, such as `backbone` and `head`; the
    others' have their number behind, `backbone_1`, `head_1` and so on.

    Attributes:
        domains: how many.
        matched: the groups of a learner that all domains have in the same form.
    """

    setting = Setting.JOINT

    def __init__(self, network: DomainNetwork, tasks: Sequence[DomainTask]) -> None:
        super().__init__()
        self.domains = len(tasks)
        first = learner_for(network, tasks[0])
        self.matched = first.matched
        self.learners = nn.ModuleList([first, *(first.beside(task) for task in tasks[1:])])

    def learner(self, place: int) -> Learner:
        """Of the domain at a place."""
        return cast("Learner", self.learners[place])

    def group_name(self, place: int, name: str) -> str:
        """What a group of a domain's learner is called here."""
        return f"{name}_{place}" if place else name

    def group_names(self, place: int) -> tuple[str, ...]:
        """The groups of a domain."""
        return tuple(self.group_name(place, name) for name, _ in self.learner(place).named_children())

    def groups(self) -> dict[str, nn.Module]:
        return {
            self.group_name(place, name): group
            for place in range(self.domains)
            for name, group in self.learner(place).named_children()
        }

    def updates(self, batch: JointBatch) -> Iterator[Update]:
        """The updates of the batch's domain on its own task."""
        learner = self.learner(batch.domain)
        names = {name: (self.group_name(batch.domain, name),) for name, _ in learner.named_children()}
        for update in learner.steps(batch.samples):
            yield update.named(names)

    def matched_network(self, place: int) -> nn.Module:
        """What of a domain's networks is matched with those of the others."""
        parts = {name: self.learner(place).get_submodule(name) for name in self.matched}
        return next(iter(parts.values())) if len(parts) == 1 else nn.ModuleDict(parts)

    @property
    def convolutional(self) -> bool:
        return self.learner(0).convolutional

    def learning_rates(self, lr: float, backbone_factor: float) -> dict[str, float]:
        factor = backbone_factor if self.learner(0).pretrained else 1.0
        own = {
            self.group_name(place, name)
            for place in range(self.domains)
            for name, _ in self.learner(place).named_children()
            if name not in self.matched
        }
        return {name: lr if name in own else factor * lr for name in self.groups()}

    def stage_rates(self, decay: float) -> dict[nn.Parameter, float]:
        return {
            parameter: rate
            for place in range(self.domains)
            for parameter, rate in self.learner(place).stage_rates(decay).items()
        }

    def predictor(self) -> Predictor:
        return self.predictors()[0]

    def predictors(self) -> tuple[Predictor, ...]:
        """What prediction needs, for each domain."""
        return tuple(self.learner(place).predictor() for place in range(self.domains))
