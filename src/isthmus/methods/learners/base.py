"""One domain's networks and how its task trains them: all that methods for several domains know of a task."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from copy import copy, deepcopy
from typing import ClassVar

from torch import nn

from isthmus.data.batches import DomainBatch
from isthmus.data.tasks import DomainTask
from isthmus.methods.base import Predictor, Update


class Learner(nn.Module, ABC):
    """One domain's networks. Each direct submodule is a group of parameters, as in a method.

    Attributes:
        matched: the groups that other domains have in the same form: what methods share or draw together, layer by
            layer.
        labelled: those that only domains of the same classes have in the same form. The others are the domain's own.
        pretrained: whether the matched groups' weights come from another data set.
        convolutional: whether images should be laid out channels-last.
    """

    matched: ClassVar[tuple[str, ...]]
    labelled: ClassVar[tuple[str, ...]] = ()
    pretrained: bool = False
    convolutional: bool = True

    @abstractmethod
    def steps(self, samples: DomainBatch) -> Iterator[Update]:
        """The updates of one batch of the domain, in order, by the names of the learner's groups.

        Raises:
            SettingError: the batch is not of the task.
        """

    @abstractmethod
    def predictor(self) -> Predictor:
        """What prediction needs of the networks."""

    def matched_network(self, classes: str) -> nn.Module:
        """What is matched as one network.

        Args:
            classes: what the domain's classes are called, so that labelled groups of others have other names.
        """
        parts = {name: self.get_submodule(name) for name in self.matched}
        return next(iter(parts.values())) if len(parts) == 1 else nn.ModuleDict(parts)

    def beside(self, task: DomainTask) -> Learner:
        """A learner for another domain, from the same initial weights."""
        return deepcopy(self)

    def borrowing(self, groups: Mapping[str, nn.Module]) -> Learner:
        """This learner with others' groups in place of its own; nothing is copied."""
        borrower = copy(self)
        borrower._modules = {**self._modules, **groups}
        return borrower

    def stage_rates(self, decay: float) -> dict[nn.Parameter, float]:
        """Learning-rate factors by depth; none unless the architecture counts stages."""
        return {}
