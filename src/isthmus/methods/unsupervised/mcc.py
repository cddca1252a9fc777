"""MCC: minimum class confusion (Jin et al., ECCV 2020)."""

from __future__ import annotations

from collections.abc import Iterator

from torch.nn.functional import cross_entropy

from isthmus.checks import at_least, positive
from isthmus.data.batches import UnsupervisedBatch
from isthmus.data.tasks import Setting
from isthmus.functional.confusion import class_confusion
from isthmus.functional.information import entropy_weights
from isthmus.methods.base import Update
from isthmus.methods.single_backbone import SingleBackbone
from isthmus.nn.backbones.base import Backbone, WithNeck
from isthmus.nn.classifiers import classifier
from isthmus.nn.processes import gathered


class MCC(SingleBackbone[UnsupervisedBatch]):
    r"""Besides the source labels, target predictions are learned that mix no two classes.

    $$\min_{G, C} E_{task} + \mu L_{MCC}, \qquad L_{MCC} = \frac{1}{K} \sum_j \sum_{j' \ne j} \tilde C_{jj'}$$

    where $\tilde C$ is $C_{jj'} = \sum_i w_i p_{ij} p_{ij'}$ with rows made to sum to one, $p_i$ the softmax of the
    target's logits over T, and $w_i = 1 + e^{-H(p_i)}$, a constant to the gradient.

    Deviations: a backbone's own hidden classifier layers count as part of G, so that they see both domains under the
    batch-norm policy.

    Args:
        backbone: G.
        num_classes: K.
        temperature: T.
        trade_off: $\mu$.
    """

    setting = Setting.UNSUPERVISED

    def __init__(
        self, backbone: Backbone, num_classes: int, *, temperature: float = 2.5, trade_off: float = 1.0
    ) -> None:
        super().__init__()
        positive(temperature=temperature)
        at_least(0, trade_off=trade_off)
        self.backbone = WithNeck(backbone)
        self.head = classifier(self.backbone, num_classes)
        self.temperature = temperature
        self.trade_off = trade_off

    def steps(self, batch: UnsupervisedBatch, progress: float) -> Iterator[Update]:
        features_s, features_t = self.backbone.both(batch.source.images, batch.target.images)
        logits_t = gathered(self.head(features_t)) / self.temperature

        task = cross_entropy(self.head(features_s), batch.source.labels)
        confusion = class_confusion(logits_t, entropy_weights(logits_t.detach()))
        yield Update(
            task + self.trade_off * confusion,
            on=("backbone", "head"),
            log={"task": task, "confusion": confusion},
            source=features_s,
            target=features_t,
        )
