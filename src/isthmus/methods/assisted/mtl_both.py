"""Multi-task learning on all labels there are."""

from __future__ import annotations

from collections.abc import Iterator

from isthmus.data.batches import AssistedBatch
from isthmus.methods.anchored import AnchoredMethod
from isthmus.methods.base import Update


class BothAnchors(AnchoredMethod):
    r"""Main tasks on the source, anchor tasks on both domains.

    $$L_{Sm} + \lambda L_{Sa} + \lambda L_{Ta}$$

    Source: Li et al., "Task-assisted domain adaptation with anchor tasks", (6).

    Args:
        encoder: its layers 1 to 4.
        tasks: main and anchor tasks.
        anchor_weight: $\lambda$; None for the automatic balance.
    """

    def steps(self, batch: AssistedBatch, progress: float) -> Iterator[Update]:
        source, target = self.network.both(batch.source.images, batch.target.images)
        yield self.update(self.all_losses(source, target, batch), source, target)
