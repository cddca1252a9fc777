"""Fine-tuning on the target alone: what joint training must beat."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn
from torch.nn.functional import cross_entropy

from isthmus.data.batches import InductiveBatch
from isthmus.data.tasks import Classification, Setting
from isthmus.methods.base import Update
from isthmus.methods.single_backbone import SingleBackbone
from isthmus.nn.backbones.base import Backbone, WithNeck


class FinetuneTarget(SingleBackbone[InductiveBatch]):
    r"""Supervised training on the target's few labels; the source batch is not looked at.

    $$\min_{f, h_t} -\frac{1}{n_t} \sum_i \log h_t(f(x^t_i))_{y^t_i}$$

    Source: Lu et al., "Optimal transport for deep joint transfer learning", section 4, the first baseline.

    Args:
        backbone: f, with the hidden classifier layers it proposes.
        source: the source's task; not used.
        target: the target's task.
    """

    setting = Setting.INDUCTIVE

    def __init__(self, backbone: Backbone, source: Classification, target: Classification) -> None:
        super().__init__()
        self.backbone = WithNeck(backbone)
        self.head = nn.Linear(self.backbone.out_features, target.num_classes)

    def steps(self, batch: InductiveBatch, progress: float) -> Iterator[Update]:
        target = cross_entropy(self.head(self.backbone(batch.target.images)), batch.target.labels)
        yield Update(target, on=("backbone", "head"), log={"target": target})
