"""HAFN: hard adaptive feature norm (Xu et al., ICCV 2019)."""

from __future__ import annotations

from collections.abc import Iterator

from torch.nn.functional import cross_entropy

from isthmus.checks import at_least, positive
from isthmus.data.batches import UnsupervisedBatch
from isthmus.data.tasks import Setting
from isthmus.functional import feature_norm
from isthmus.methods.base import Update
from isthmus.methods.single_backbone import SingleBackbone
from isthmus.nn.backbones.base import Backbone
from isthmus.nn.classifiers import classifier, hidden_and_logits
from isthmus.nn.processes import gathered


class HAFN(SingleBackbone[UnsupervisedBatch]):
    r"""The mean norms of both domains' features are drawn to one value.

    $$\min_{G, C} \; E_{task} + w \Big(\frac{1}{n_s} \sum_i \lVert f(x^s_i) \rVert - R\Big)^2
    + w \Big(\frac{1}{n_t} \sum_j \lVert f(x^t_j) \rVert - R\Big)^2$$

    f are the classifier's last hidden features, or the backbone's where the classifier is one linear layer.

    Deviations: no training on the source alone beforehand, with which the authors' code begins.

    Args:
        backbone: G.
        num_classes: K.
        radius: R; the paper's suits its 1000 hidden features.
        weight: w.
    """

    setting = Setting.UNSUPERVISED

    def __init__(self, backbone: Backbone, num_classes: int, *, radius: float = 25.0, weight: float = 0.05) -> None:
        super().__init__()
        positive(radius=radius)
        at_least(0, weight=weight)
        self.backbone = backbone
        self.head = classifier(backbone, num_classes)
        self.radius = radius
        self.weight = weight

    def steps(self, batch: UnsupervisedBatch, progress: float) -> Iterator[Update]:
        features_s, features_t = self.backbone.both(batch.source.images, batch.target.images)
        hidden_s, logits_s = hidden_and_logits(self.head, features_s)
        hidden_t, _ = hidden_and_logits(self.head, features_t)
        norms_s, norms_t = gathered(feature_norm.norms(hidden_s)), gathered(feature_norm.norms(hidden_t))

        task = cross_entropy(logits_s, batch.source.labels)
        norm = feature_norm.hard(norms_s, radius=self.radius) + feature_norm.hard(norms_t, radius=self.radius)
        yield Update(
            task + self.weight * norm,
            on=("backbone", "head"),
            log={"task": task, "source_norm": norms_s.mean(), "target_norm": norms_t.mean()},
            source=features_s,
            target=features_t,
        )
