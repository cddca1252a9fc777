"""What a discriminator of a dense network's domains adds to the updates of an assisted method."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from isthmus.checks import leaves_an_epoch, positive, share
from isthmus.data.pixelwise import PixelTask, Segmentation, SurfaceNormals
from isthmus.methods.base import Plan, Update
from isthmus.nn.dense import Dense


class Adversary(nn.Module, ABC):
    """A group of parameters that tells the domains apart, and an update in which the network prevents it.

    It begins when the network has nearly converged: with the first epoch after `start` of the run.

    Attributes:
        name: of the term and of its group.
        lr_factor: learning rate of the discriminator over the recipe's.
        begun: whether the run has come so far.
    """

    name: ClassVar[str]
    begun: bool = False

    def __init__(self, *, start: float, lr_factor: float) -> None:
        super().__init__()
        positive(lr_factor=lr_factor)
        share(start=start)
        self.start = start
        self.lr_factor = lr_factor

    def check(self, plan: Plan) -> None:
        """Refuse a run that ends before it begins; see `Method.check`.

        Raises:
            OptionError: no epoch begins after `start`.
        """
        leaves_an_epoch(plan.epochs, of=self.name, instead=f"{self.name}:start=0", start=self.start)

    @abstractmethod
    def update(self, source: Dense, target: Dense, on: tuple[str, ...]) -> Update:
        """What joins a method's update that trains the network's groups `on`."""


def shown_outputs(tasks: Sequence[PixelTask], dense: Dense) -> Tensor:
    """What a discriminator sees of the outputs: (batch, channels of all tasks, height, width).

    Normals are of unit length, and segmentations are probabilities.
    """
    maps = []
    for task in tasks:
        values = dense.maps[task.name]
        if isinstance(task, SurfaceNormals):
            values = normalize(values, dim=1)
        elif isinstance(task, Segmentation):
            values = values.softmax(dim=1)
        maps.append(values)
    return torch.cat(maps, dim=1)
