"""Consecutive fine-tuning: the source first, then the target."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn
from torch.nn.functional import cross_entropy

from isthmus.checks import below, positive
from isthmus.data.batches import InductiveBatch
from isthmus.data.tasks import Classification, Setting
from isthmus.methods.base import Stage, Update
from isthmus.methods.single_backbone import SingleBackbone
from isthmus.nn.backbones.base import Backbone, WithNeck


class Consecutive(SingleBackbone[InductiveBatch]):
    r"""Supervised training on the source, then on the target from the weights found.

    $$\min_{f, h_s} -\frac{1}{n_s} \sum_i \log h_s(f(x^s_i))_{y^s_i} \quad \text{then} \quad
    \min_{f, h_t} -\frac{1}{n_t} \sum_i \log h_t(f(x^t_i))_{y^t_i}$$

    Source: Lu et al., "Optimal transport for deep joint transfer learning", section 4, the second baseline.

    Args:
        backbone: f, with the hidden classifier layers it proposes.
        source: the source's task.
        target: the target's task.
        source_share: part of the run that is spent on the source; the paper leaves it open.
    """

    setting = Setting.INDUCTIVE

    def __init__(
        self, backbone: Backbone, source: Classification, target: Classification, *, source_share: float = 0.5
    ) -> None:
        super().__init__()
        positive(source_share=source_share)
        below(1, source_share=source_share)
        self.backbone = WithNeck(backbone)
        self.head = nn.Linear(self.backbone.out_features, target.num_classes)
        self.source_head = nn.Linear(self.backbone.out_features, source.num_classes)
        self.source_share = source_share

    def stages(self) -> tuple[Stage[InductiveBatch], ...]:
        return (
            Stage("source", self._source_steps, until=self.source_share, frozen=("head",)),
            Stage("target", self.steps, frozen=("source_head",)),
        )

    def steps(self, batch: InductiveBatch, progress: float) -> Iterator[Update]:
        target = cross_entropy(self.head(self.backbone(batch.target.images)), batch.target.labels)
        yield Update(target, on=("backbone", "head"), log={"target": target})

    def _source_steps(self, batch: InductiveBatch, progress: float) -> Iterator[Update]:
        source = cross_entropy(self.source_head(self.backbone(batch.source.images)), batch.source.labels)
        yield Update(source, on=("backbone", "source_head"), log={"source": source})
