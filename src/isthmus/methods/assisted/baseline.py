"""The main tasks on the source alone: what every method must beat."""

from __future__ import annotations

from collections.abc import Iterator

from isthmus.data.batches import AssistedBatch
from isthmus.data.pixelwise import AnchoredTasks
from isthmus.methods.anchored import AnchoredMethod
from isthmus.methods.base import Update
from isthmus.nn.pyramids import Pyramid


class Baseline(AnchoredMethod):
    r"""Supervised training on the source's main labels; no anchor task.

    $$L_{Sm}$$

    Source: Li et al., "Task-assisted domain adaptation with anchor tasks", (1).

    Args:
        encoder: its layers 1 to 4.
        tasks: main tasks, and anchor tasks, which it does without.
    """

    anchored = False

    def __init__(self, encoder: Pyramid, tasks: AnchoredTasks) -> None:
        super().__init__(encoder, tasks)

    def steps(self, batch: AssistedBatch, progress: float) -> Iterator[Update]:
        source, target = self.source(batch)
        yield self.update({"source": self.main_losses(source, batch.source)}, source, target)
