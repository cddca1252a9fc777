"""Multi-task learning on the source: main and anchor tasks."""

from __future__ import annotations

from collections.abc import Iterator

from isthmus.data.batches import AssistedBatch
from isthmus.methods.anchored import AnchoredMethod
from isthmus.methods.base import Update


class SourceAnchor(AnchoredMethod):
    r"""Main and anchor tasks on the source.

    $$L_{Sm} + \lambda L_{Sa}$$

    Source: Li et al., "Task-assisted domain adaptation with anchor tasks", (4).

    Args:
        encoder: its layers 1 to 4.
        tasks: main and anchor tasks.
        anchor_weight: $\lambda$; None for the automatic balance.
    """

    def steps(self, batch: AssistedBatch, progress: float) -> Iterator[Update]:
        source, target = self.source(batch)
        yield self.update({"source": self.labelled_losses(source, batch.source)}, source, target)
