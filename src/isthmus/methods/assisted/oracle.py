"""What the target's main labels would bring: a bound, and no method."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from isthmus.data.batches import AssistedBatch, OracleBatch
from isthmus.methods.anchored import AnchoredMethod
from isthmus.methods.base import Update


class Oracle(AnchoredMethod):
    r"""Main and anchor tasks on both domains.

    $$L_{Sm} + \lambda L_{Sa} + L_{Tm} + \lambda L_{Ta}$$

    Source: Li et al., "Task-assisted domain adaptation with anchor tasks", table 1, "oracle". A problem has to give the
    target's main labels for it (`Problem.oracle`), and is refused otherwise.

    Args:
        encoder: its layers 1 to 4.
        tasks: main and anchor tasks.
        anchor_weight: $\lambda$; None for the automatic balance.
    """

    oracle = True

    def steps(self, batch: AssistedBatch, progress: float) -> Iterator[Update]:
        known = cast(OracleBatch, batch)  # as `oracle` asks for
        source, target = self.network.both(known.source.images, known.target.images)
        losses = {
            "source": self.labelled_losses(source, known.source),
            "target": self.labelled_losses(target, known.target),
        }
        yield self.update(losses, source, target)
