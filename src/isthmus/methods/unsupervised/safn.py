"""SAFN: stepwise adaptive feature norm (Xu et al., ICCV 2019)."""

from __future__ import annotations

from collections.abc import Iterator

from torch.nn.functional import cross_entropy

from isthmus.checks import at_least, positive
from isthmus.data.batches import UnsupervisedBatch
from isthmus.data.tasks import Setting
from isthmus.functional import feature_norm
from isthmus.functional.information import entropy
from isthmus.methods.base import Update
from isthmus.methods.single_backbone import SingleBackbone
from isthmus.nn.backbones.base import Backbone
from isthmus.nn.classifiers import classifier, hidden_and_logits


class SAFN(SingleBackbone[UnsupervisedBatch]):
    r"""The norm of every sample's features is enlarged by a step, again at each update.

    $$\min_{G, C} \; E_{task} + w \Big[\frac{1}{n_s} \sum_i L_d(x^s_i) + \frac{1}{n_t} \sum_j L_d(x^t_j)\Big]
    + \frac{w_H}{n_t} \sum_j H(p(x^t_j)), \qquad
    L_d(x) = \big(\lVert f(x) \rVert - (\mathrm{sg} \lVert f(x) \rVert + \Delta r)\big)^2$$

    f are the classifier's last hidden features, or the backbone's where the classifier is one linear layer; sg stops
    the gradient: the norm to enlarge is that of the same forward pass, as in the authors' code.

    Args:
        backbone: G.
        num_classes: K.
        step: $\Delta r$.
        weight: w.
        entropy_weight: $w_H$; 0 for SAFN without entropy.
    """

    setting = Setting.UNSUPERVISED

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        *,
        step: float = 1.0,
        weight: float = 0.05,
        entropy_weight: float = 0.1,
    ) -> None:
        super().__init__()
        positive(step=step)
        at_least(0, weight=weight, entropy_weight=entropy_weight)
        self.backbone = backbone
        self.head = classifier(backbone, num_classes)
        self.step = step
        self.weight = weight
        self.entropy_weight = entropy_weight

    def steps(self, batch: UnsupervisedBatch, progress: float) -> Iterator[Update]:
        features_s, features_t = self.backbone.both(batch.source.images, batch.target.images)
        hidden_s, logits_s = hidden_and_logits(self.head, features_s)
        hidden_t, logits_t = hidden_and_logits(self.head, features_t)
        norms_s, norms_t = feature_norm.norms(hidden_s), feature_norm.norms(hidden_t)

        task = cross_entropy(logits_s, batch.source.labels)
        enlargement = feature_norm.stepwise(norms_s, step=self.step) + feature_norm.stepwise(norms_t, step=self.step)
        uncertainty = entropy(logits_t)
        yield Update(
            task + self.weight * enlargement + self.entropy_weight * uncertainty,
            on=("backbone", "head"),
            # The norms, since the value of the loss that enlarges them never changes.
            log={
                "task": task,
                "target_entropy": uncertainty,
                "source_norm": norms_s.mean(),
                "target_norm": norms_t.mean(),
            },
            source=features_s,
            target=features_t,
        )
