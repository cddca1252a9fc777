"""What methods with networks for each of several domains have in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Union, cast

from torch import nn

from isthmus.data.batches import JointBatch
from isthmus.data.tasks import DomainTask, Setting
from isthmus.errors import OptionError
from isthmus.methods.base import Method, Predictor, Update
from isthmus.methods.learners import DomainNetwork, Learner, learner_for
from isthmus.nn.matched_layers import start_alike

DomainNetworks = Union[DomainNetwork, Sequence[DomainNetwork]]
"""One that is copied for each domain, or one for each, of which some may be the same."""


class SideBySide(Method[JointBatch]):
    """A learner for each domain, all from the same initial weights. What the task is, only they know.

    Networks of several architectures start from the same weights where they have the same layers. The groups of the
    first domain have the names that its learner gives them, such as `backbone` and `head`; the others' have their
    number behind, `backbone_1`, `head_1` and so on.

    Attributes:
        domains: how many.
        matched: the groups of a learner that all domains have in the same form.
        alike: of each domain the first with the same task, such as the same classes.
    """

    setting = Setting.JOINT

    def __init__(self, network: DomainNetworks, tasks: Sequence[DomainTask]) -> None:
        super().__init__()
        self.domains = len(tasks)
        networks = network if isinstance(network, Sequence) else [network] * self.domains
        if len(networks) != self.domains:
            raise OptionError(f"Expected a backbone for each of {self.domains} domains, but got {len(networks)}.")
        firsts: dict[DomainNetwork, Learner] = {}
        for each, task in zip(networks, tasks):
            if each not in firsts:
                firsts[each] = learner_for(each, task)
        start_alike(list(firsts.values()))
        learners: list[Learner] = []
        known: dict[tuple[DomainNetwork, DomainTask], Learner] = {}
        for each, task in zip(networks, tasks):
            first = known.get((each, task), firsts[each])
            learners.append(first.beside(task) if first in learners else first)
            known.setdefault((each, task), learners[-1])
        self.learners = nn.ModuleList(learners)
        self.matched = learners[0].matched
        self.alike = [list(tasks).index(task) for task in tasks]

    def learner(self, place: int) -> Learner:
        """Of the domain at a place."""
        return cast("Learner", self.learners[place])

    def group_name(self, place: int, name: str) -> str:
        """What a group of a domain's learner is called here."""
        return f"{name}_{place}" if place else name

    def names(self, place: int) -> Mapping[str, tuple[str, ...]]:
        """What each group of a domain's learner is called here, or the groups that it is part of."""
        return {name: (self.group_name(place, name),) for name, _ in self.learner(place).named_children()}

    def groups(self) -> dict[str, nn.Module]:
        return {
            self.group_name(place, name): group
            for place in range(self.domains)
            for name, group in self.learner(place).named_children()
        }

    def steps(self, batch: JointBatch, progress: float) -> Iterator[Update]:
        """The updates of the batch's domain on its own task."""
        names = self.names(batch.domain)
        for update in self.learner(batch.domain).steps(batch.samples):
            yield update.named(names)

    def matched_network(self, place: int) -> nn.Module:
        """What of a domain's networks is matched with those of the others."""
        return self.learner(place).matched_network(f"domain {self.alike[place] + 1}")

    def first_with(self, place: int, name: str) -> int:
        """The first domain that has a group in the same form as the one at a place; itself if that is its own."""
        if name in self.matched:
            return 0
        return self.alike[place] if name in self.learner(place).labelled else place

    @property
    def convolutional(self) -> bool:
        return self.learner(0).convolutional

    def learning_rates(self, lr: float, backbone_factor: float) -> dict[str, float]:
        pretrained = [place for place in range(self.domains) if self.learner(place).pretrained]
        slow = {group for place in pretrained for name in self.matched for group in self.names(place)[name]}
        return {name: backbone_factor * lr if name in slow else lr for name in self.groups()}

    def stage_rates(self, decay: float) -> dict[nn.Parameter, float]:
        return {
            parameter: rate
            for place in range(self.domains)
            for parameter, rate in self.learner(place).stage_rates(decay).items()
        }

    def predictors(self) -> tuple[Predictor, ...]:
        return tuple(self.learner(place).predictor() for place in range(self.domains))


def one_architecture(network: DomainNetworks) -> DomainNetwork:
    """The network of methods whose domains have layers that are one and the same.

    Raises:
        OptionError: there are several.
    """
    distinct = list(dict.fromkeys(network)) if isinstance(network, Sequence) else [network]
    if len(distinct) > 1:
        raise OptionError(
            f"`share_all`, `l2_reg_25`, `l2_reg_50` and `pretrain_finetune` need one backbone for all domains, but got "
            f"{len(distinct)} different ones. Give one by `backbone`, or use `isolated`, `l2_reg` or `joint_irls`."
        )
    return distinct[0]
