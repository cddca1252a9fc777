"""Weights that bring the losses of several tasks to one magnitude."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from isthmus.nn.processes import gathered

BATCHES = 20
"""Batches that the weights are taken from."""


class TaskBalance(nn.Module):
    r"""One weight a task, $\lambda_k = \bar{L}_1 / \bar{L}_k$, means of the first batches that have shown the task.

    The paper chooses weights "so losses from different domains and tasks have similar magnitudes" (Li et al.,
    "Task-assisted domain adaptation with anchor tasks", section 4). A task has one weight in both domains. It moves
    with the means for 20 batches and stays from then on. A batch without a label of the task, whose loss is then zero,
    has not shown it.

    Args:
        tasks: their names; the first has weight one.

    Attributes:
        totals: (tasks,) of the losses seen.
        counts: (tasks,) of the batches.
    """

    totals: Tensor
    counts: Tensor

    def __init__(self, tasks: Sequence[str]) -> None:
        super().__init__()
        self.tasks = tuple(tasks)
        self.register_buffer("totals", torch.zeros(len(self.tasks)))
        self.register_buffer("counts", torch.zeros(len(self.tasks), dtype=torch.long))

    @torch.no_grad()
    def forward(self, losses: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The weights of the tasks in `losses`, a scalar each of this batch, after having looked at it."""
        for task, loss in losses.items():
            place = self.tasks.index(task)
            # Of all processes, so that all have the same weights; and no `if`, which would wait for the device.
            seen = gathered(loss.detach().to(self.totals.dtype).reshape(1)).mean()
            wanted = (self.counts[place] < BATCHES) & (seen > 0)
            self.totals[place] += torch.where(wanted, seen, 0)
            self.counts[place] += wanted
        means = self.totals / self.counts.clamp(min=1)
        return {task: self._weight(means, self.tasks.index(task)).to(loss.dtype) for task, loss in losses.items()}

    def _weight(self, means: Tensor, place: int) -> Tensor:
        known = (means[0] > 0) & (means[place] > 0)
        return torch.where(known, means[0] / means[place], 1.0)
