"""What a term is: losses of the features of one domain or both, that join a method's updates."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from isthmus.data.batches import UnsupervisedBatch
from isthmus.methods.base import Update
from isthmus.nn.tracing import Passes


@dataclass(frozen=True)
class Seen:
    """What a term sees: the features of an update, by domain (`source`, `target`), and the batch they are of.

    Attributes:
        batch: images, and noise drawn for them.
        features: the backbone's, of the domains that the update has passed.
        passes: traces of the backbone's passes, where the term asks for them.
    """

    batch: UnsupervisedBatch
    features: Mapping[str, Tensor]
    passes: Passes


@dataclass(frozen=True)
class Part:
    """One loss of a term.

    Attributes:
        name: what the log calls it.
        sees: the domains it needs: (`source`,), (`target`,) or both.
        loss: of what is seen.
        weight: times `loss`; the log has the loss before.
        on: groups that it trains.
    """

    name: str
    sees: tuple[str, ...]
    loss: Callable[[Seen], Tensor]
    weight: float
    on: tuple[str, ...]

    def update(self, seen: Seen) -> Update:
        """The update that this loss makes."""
        loss = self.loss(seen)
        return Update(self.weight * loss, on=self.on, log={self.name: loss})


class Term(nn.Module, ABC):
    """A loss, or a few, that a method takes on. Built on the method: `Term(method, *, options)`.

    Attributes:
        name: of the term; its own parameters are a group of this name.
        traced: whether it needs traces of the backbone's passes.
    """

    name: ClassVar[str]
    traced: bool = False

    @abstractmethod
    def parts(self) -> tuple[Part, ...]:
        """Its losses. Each joins every update that trains the backbone on features of the domains that it needs."""
