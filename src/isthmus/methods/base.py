"""What a method is: modules, a setting, and a generator of updates."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import ClassVar, Generic, Protocol, TypeVar, Union

from torch import Tensor, nn

from isthmus.data.batches import DomainBatch, Turns
from isthmus.data.tasks import Setting
from isthmus.nn.autoencoder import AutoEncoder
from isthmus.nn.classifiers import Classifier
from isthmus.nn.dense import DenseNetwork
from isthmus.nn.gans import Generator

BatchT = TypeVar("BatchT")
Reach = Callable[[Tensor], Union[float, Tensor]]
"""How far a constant gradient of size 1 moves a parameter in the end, or each of its elements: the learning rate in
force, with momentum of SGD that over one less the momentum, of Adam that over the root of its mean squared gradient."""
Predictor = Union[Classifier, DenseNetwork, AutoEncoder, Generator]


@dataclass(frozen=True)
class Objective:
    """A scalar loss and the groups of parameters that descend it."""

    loss: Tensor
    on: tuple[str, ...]


class Update:
    r"""One optimiser step: which loss each group of parameters descends.

    A loss may train several groups. Losses for different groups that come from the same forward pass are joined by
    `&` and stepped at once; a group that stands in several of them descends their sum:

        yield Update(classifier_loss, on=("head",)) & Update(feature_loss, on=("backbone",))

    Args:
        loss: scalar to minimise.
        on: names of the groups it trains; all others are untouched, whatever the loss depends on.
        log: further scalars to record, by name.
        source: the backbone's features of the source batch, where they were computed for this update: terms that the
            method takes on join it there.
        target: likewise of the target batch.
        then: what is to be done to the weights after the step, given the `Reach` of each.
    """

    def __init__(
        self,
        loss: Tensor,
        *,
        on: tuple[str, ...],
        log: Mapping[str, Tensor] | None = None,
        source: Tensor | None = None,
        target: Tensor | None = None,
        then: Callable[[Reach], None] | None = None,
    ) -> None:
        self.objectives: tuple[Objective, ...] = (Objective(loss, on),)
        self.log: dict[str, Tensor] = dict(log or {})
        self.source = source
        self.target = target
        self.then = then

    def __and__(self, other: Update) -> Update:
        joined = Update.__new__(Update)
        joined.objectives = self.objectives + other.objectives
        if twice := self.log.keys() & other.log.keys():
            raise ValueError(f"Expected joined updates to log under different names, but both have {sorted(twice)}.")
        joined.log = self.log | other.log
        joined.source = self.source if other.source is None else other.source
        joined.target = self.target if other.target is None else other.target
        if self.then and other.then:
            raise ValueError("Expected one of two joined updates to have something to do `then`, but both have.")
        joined.then = self.then or other.then
        return joined

    def named(self, names: Mapping[str, tuple[str, ...]]) -> Update:
        """The same update of groups that go by other names, or that are several: those of one network of many."""
        renamed = copy(self)
        renamed.objectives = tuple(
            Objective(objective.loss, tuple(other for name in objective.on for other in names[name]))
            for objective in self.objectives
        )
        return renamed

    @property
    def groups(self) -> tuple[str, ...]:
        """All groups that this update trains, each once."""
        return tuple(dict.fromkeys(group for objective in self.objectives for group in objective.on))


@dataclass(frozen=True)
class Stage(Generic[BatchT]):
    """A part of training with its own updates.

    Attributes:
        name: what the log calls it.
        steps: the stage's generator of updates, given a batch and the stage's own progress in [0, 1].
        until: share of the run at which the stage ends; the last stage's is 1.
        frozen: groups that keep their weights and stay in evaluation mode.
        lr_factor: times every learning rate.
        begin: what is done to the weights before the stage's first update; once, however often a run is continued.
    """

    name: str
    steps: Callable[[BatchT, float], Iterator[Update]]
    until: float = 1.0
    frozen: tuple[str, ...] = field(default=())
    lr_factor: float = 1.0
    begin: Callable[[], None] | None = None


@dataclass(frozen=True)
class Plan:
    """What a method is about to be trained on.

    Attributes:
        shape: of one input.
        epochs: of the run.
        counts: training samples of each class, for every domain that has labels of classes.
    """

    shape: tuple[int, ...]
    epochs: int
    counts: tuple[tuple[int, ...], ...] = ()


class Survey(Protocol):
    """What a method may ask for between epochs.

    Attributes:
        domains: those that this process trains on: all, unless their networks are spread over processes.
    """

    @property
    def domains(self) -> Sequence[int]: ...

    def samples(self, domain: int) -> Iterator[DomainBatch]:
        """All training samples of a domain as prediction sees them, a batch at a time, in one random order."""
        ...

    def track(self, title: str, total: int) -> Callable[[int], None]:
        """A progress bar; called with how much of `total` is done."""
        ...


class Method(nn.Module, ABC, Generic[BatchT]):
    """Base of all methods: what training and measuring ask of them.

    A method holds its networks as attributes; each attribute is a group of parameters with an optimiser of its own, and
    updates name the groups they train. Hyper-parameters are keyword-only arguments of `__init__`, with the paper's
    values as defaults: the signature is the configuration.

    Attributes:
        setting: who has labels of what.
        turns: how the domains of a joint problem take turns.
        oracle: whether it trains on the target's main labels, as a bound on methods may.
    """

    setting: ClassVar[Setting]
    turns: ClassVar[Turns] = "epoch"
    oracle: ClassVar[bool] = False

    @property
    @abstractmethod
    def convolutional(self) -> bool:
        """Whether images should be laid out channels-last."""

    @property
    def independent(self) -> tuple[tuple[str, ...], ...]:
        """The groups of each domain's network, where none looks at another's within an epoch; empty otherwise.

        Then each can be trained in a process of its own, and has a random state of its own (dropout).
        """
        return ()

    def groups(self) -> dict[str, nn.Module]:
        """The groups of parameters by name: the method's direct submodules that have some."""
        return {name: child for name, child in self.named_children() if next(child.parameters(), None) is not None}

    @abstractmethod
    def learning_rates(self, lr: float, backbone_factor: float) -> dict[str, float]:
        """The learning rate of each group at the start: `lr`, but `backbone_factor * lr` for a pretrained backbone."""

    @abstractmethod
    def stage_rates(self, decay: float) -> dict[nn.Parameter, float]:
        """Learning-rate factors of the backbone's parameters by depth; see `Backbone.stage_rates`."""

    def stages(self) -> tuple[Stage[BatchT], ...]:
        """The parts of training; one by default."""
        return (Stage("train", self.steps),)

    @abstractmethod
    def steps(self, batch: BatchT, progress: float) -> Iterator[Update]:
        """The updates of one batch, in order.

        The engine steps the optimisers when an update is yielded and only then resumes, so that what follows a `yield`
        sees the new weights.

        Args:
            batch: a batch of the method's setting.
            progress: of training, in [0, 1].
        """

    def check(self, plan: Plan) -> None:
        """Refuse what would only show half-way through training: nothing, by default.

        Raises:
            OptionError: inputs, or a length of the run, that it cannot do with.
            DataError: classes that it cannot do with.
        """
        return

    def before_epoch(self, epoch: int, progress: float, survey: Survey) -> None:
        """What is to be done between epochs: nothing, by default.

        What it finds is kept in buffers, so that a run that was killed continues with it.

        Args:
            epoch: number of finished epochs.
            progress: of training, in [0, 1).
            survey: gives the training samples, without any augmentation.
        """
        return

    def findings(self) -> Mapping[str, Tensor | Sequence[str]]:
        """What training found besides a classifier, for the report, by name: nothing, by default."""
        return {}

    @abstractmethod
    def predictors(self) -> tuple[Predictor, ...]:
        """What prediction needs, images to logits, maps or images: one for each domain that is measured."""

    def other_classifiers(self) -> Mapping[str, nn.Module]:
        """What is measured beside the first predictor's classifier, on its features, by name; nothing, by default."""
        return {}
