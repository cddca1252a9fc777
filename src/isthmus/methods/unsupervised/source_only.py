"""No adaptation: what every method must beat."""

from __future__ import annotations

from collections.abc import Iterator

from torch.nn.functional import cross_entropy

from isthmus.data.batches import UnsupervisedBatch
from isthmus.data.tasks import Setting
from isthmus.methods.base import Update
from isthmus.methods.single_backbone import SingleBackbone
from isthmus.nn.backbones.base import Backbone
from isthmus.nn.classifiers import classifier


class SourceOnly(SingleBackbone[UnsupervisedBatch]):
    r"""Supervised training on the source; the target batch is not looked at.

    $$\min_{G, C} -\frac{1}{n_s} \sum_i \log p_{y_i}(x^s_i)$$

    Args:
        backbone: G.
        num_classes: K.
    """

    setting = Setting.UNSUPERVISED

    def __init__(self, backbone: Backbone, num_classes: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = classifier(backbone, num_classes)

    def steps(self, batch: UnsupervisedBatch, progress: float) -> Iterator[Update]:
        features = self.backbone(batch.source.images)
        loss = cross_entropy(self.head(features), batch.source.labels)
        yield Update(loss, on=("backbone", "head"), log={"task": loss}, source=features)
