"""HeadFreeze (Li et al., "Task-assisted domain adaptation with anchor tasks")."""

from __future__ import annotations

from collections.abc import Iterator

from isthmus.checks import below, positive
from isthmus.data.batches import AssistedBatch
from isthmus.data.pixelwise import AnchoredTasks
from isthmus.methods.anchored import BELOW, AnchoredMethod
from isthmus.methods.base import Stage, Update
from isthmus.nn.pyramids import Pyramid


class HeadFreeze(AnchoredMethod):
    r"""Final layers that have learned on the source what main and anchor outputs look like together, and are then kept.

    $$\text{source:} \; \min_{f, h} L_{Sm} + \lambda L_{Sa} \qquad
    \text{below:} \; \min_f L_{Sm} + \lambda L_{Sa} + \lambda L_{Ta}$$

    with h all layers after the second upsampling layer, f those below. In stage `below` the head keeps its weights and,
    its batch norm in evaluation mode, its statistics; the gradients of (6) pass through it. What the target's anchor
    labels teach the layers below has to be said in the head's terms, and so it serves the main task.

    The optimiser is made anew, and the learning rate's schedule begins again.

    Args:
        encoder: its layers 1 to 4.
        tasks: main and anchor tasks.
        converge: share of the run for the first stage, until near convergence.
        below_lr: learning rates of the second stage over those of the first.
        anchor_weight: $\lambda$; None for the automatic balance.
    """

    def __init__(
        self,
        encoder: Pyramid,
        tasks: AnchoredTasks,
        *,
        converge: float = 0.5,
        below_lr: float = 1.0,
        anchor_weight: float | None = None,
    ) -> None:
        super().__init__(encoder, tasks, anchor_weight=anchor_weight)
        positive(converge=converge, below_lr=below_lr)
        below(1, converge=converge)
        self.converge = converge
        self.below_lr = below_lr

    def stages(self) -> tuple[Stage[AssistedBatch], ...]:
        return (
            Stage("source", self.source_steps, until=self.converge),
            Stage("below", self.steps, frozen=("head",), lr_factor=self.below_lr),
        )

    def source_steps(self, batch: AssistedBatch, progress: float) -> Iterator[Update]:
        """The updates of stage `source`: (4)."""
        source, target = self.source(batch)
        yield self.update({"source": self.labelled_losses(source, batch.source)}, source, target)

    def steps(self, batch: AssistedBatch, progress: float) -> Iterator[Update]:
        source, target = self.network.both(batch.source.images, batch.target.images)
        yield self.update(self.all_losses(source, target, batch), source, target, on=BELOW)
