"""Multi-task learning over two domains: the main tasks on the source, the anchor tasks on the target."""

from __future__ import annotations

from collections.abc import Iterator

from isthmus.data.batches import AssistedBatch
from isthmus.methods.anchored import AnchoredMethod
from isthmus.methods.base import Update


class TargetAnchor(AnchoredMethod):
    r"""Main tasks on the source and anchor tasks on the target: no image has labels of both.

    $$L_{Sm} + \lambda L_{Ta}$$

    Source: Li et al., "Task-assisted domain adaptation with anchor tasks", (5).

    Args:
        encoder: its layers 1 to 4.
        tasks: main and anchor tasks.
        anchor_weight: $\lambda$; None for the automatic balance.
    """

    def steps(self, batch: AssistedBatch, progress: float) -> Iterator[Update]:
        source, target = self.network.both(batch.source.images, batch.target.images)
        losses = {
            "source": self.main_losses(source, batch.source),
            "target": self.anchor_losses(target, batch.target),
        }
        yield self.update(losses, source, target)
