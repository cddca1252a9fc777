"""Joint fine-tuning: shared features, a classifier for each domain."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn
from torch.nn.functional import cross_entropy

from isthmus.checks import at_least
from isthmus.data.batches import InductiveBatch
from isthmus.data.tasks import Classification, Setting
from isthmus.methods.base import Update
from isthmus.methods.single_backbone import SingleBackbone
from isthmus.nn.backbones.base import Backbone, WithNeck


class JointFinetune(SingleBackbone[InductiveBatch]):
    r"""Supervised training on both domains at once; they share the features.

    $$\min_{f, h_s, h_t} -\frac{1}{n_t} \sum_i \log h_t(f(x^t_i))_{y^t_i}
    - \frac{\lambda_s}{n_s} \sum_i \log h_s(f(x^s_i))_{y^s_i}$$

    Source: Lu et al., "Optimal transport for deep joint transfer learning", section 4, the third baseline: JTLN without
    transport.

    Args:
        backbone: f, with the hidden classifier layers it proposes.
        source: the source's task.
        target: the target's task.
        source_weight: $\lambda_s$.
    """

    setting = Setting.INDUCTIVE
    follows_source = False

    def __init__(
        self, backbone: Backbone, source: Classification, target: Classification, *, source_weight: float = 1.0
    ) -> None:
        super().__init__()
        at_least(0, source_weight=source_weight)
        self.backbone = WithNeck(backbone)
        self.head = nn.Linear(self.backbone.out_features, target.num_classes)
        self.source_head = nn.Linear(self.backbone.out_features, source.num_classes)
        self.source_weight = source_weight

    def steps(self, batch: InductiveBatch, progress: float) -> Iterator[Update]:
        features_s, features_t = self.backbone.both(
            batch.source.images, batch.target.images, follow_source=self.follows_source
        )
        target = cross_entropy(self.head(features_t), batch.target.labels)
        source = cross_entropy(self.source_head(features_s), batch.source.labels)
        yield Update(
            target + self.source_weight * source,
            on=("backbone", "head", "source_head"),
            log={"target": target, "source": source},
        )
