"""What methods with networks for each of several domains have in common."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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

    Networks of several architectures start from the same weights where they have the same layers.

    The groups of the first domain have the names that its learner gives them, such as `backbone` and `head`; the
    others' have their number behind, `backbone_1`, `head_1` and so on.

    Attributes:
        domains: how many.
        matched: the groups of a learner that all domains have in the same form.
    """

    setting = Setting.JOINT

    def __init__(self, network: DomainNetworks, tasks: Sequence[DomainTask]) -> None:
        super().__init__()
        self.domains = len(tasks)
        networks = [network] * self.domains if isinstance(network, nn.Module) else list(network)
        if len(networks) != self.domains:
            raise OptionError(f"Expected a backbone for each of {self.domains} domains, but got {len(networks)}.")
        places = {each: place for place, each in reversed(list(enumerate(networks)))}  # where each stands first
        firsts = {each: learner_for(each, tasks[place]) for each, place in sorted(places.items(), key=lambda it: it[1])}
        self.matched = next(iter(firsts.values())).matched
        start_alike([self._matched_of(first) for first in firsts.values()])
        self.learners = nn.ModuleList(
            firsts[each] if places[each] == place else firsts[each].beside(task)
            for place, (each, task) in enumerate(zip(networks, tasks))
        )

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
        return self._matched_of(self.learner(place))

    @property
    def convolutional(self) -> bool:
        return self.learner(0).convolutional

    def learning_rates(self, lr: float, backbone_factor: float) -> dict[str, float]:
        own = {
            self.group_name(place, name)
            for place in range(self.domains)
            for name, _ in self.learner(place).named_children()
            if name not in self.matched
        }
        pretrained = {
            self.group_name(place, name): self.learner(place).pretrained
            for place in range(self.domains)
            for name in self.matched
        }
        # What several domains share is of the first one's architecture.
        slow = {name: name not in own and pretrained.get(name, self.learner(0).pretrained) for name in self.groups()}
        return {name: backbone_factor * lr if slow[name] else lr for name in slow}

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

    def _matched_of(self, learner: Learner) -> nn.Module:
        parts = {name: learner.get_submodule(name) for name in self.matched}
        return next(iter(parts.values())) if len(parts) == 1 else nn.ModuleDict(parts)


def one_architecture(network: DomainNetworks) -> DomainNetwork:
    """The network of methods whose domains have layers that are one and the same.

    Raises:
        OptionError: there are several.
    """
    distinct = [network] if isinstance(network, nn.Module) else list(dict.fromkeys(network))
    if len(distinct) > 1:
        raise OptionError(
            f"`share_all`, `l2_reg_25`, `l2_reg_50` and `pretrain_finetune` need one backbone for all domains, but got "
            f"{len(distinct)} different ones. Give one by `backbone`, or use `isolated`, `l2_reg` or `joint_irls`."
        )
    return distinct[0]
