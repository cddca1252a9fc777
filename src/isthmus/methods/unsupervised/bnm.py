"""BNM: batch nuclear-norm maximisation (Cui et al., CVPR 2020)."""

from __future__ import annotations

from collections.abc import Iterator

from torch.nn.functional import cross_entropy

from isthmus.checks import at_least
from isthmus.data.batches import UnsupervisedBatch
from isthmus.data.tasks import Setting
from isthmus.functional.nuclear_norm import batch_nuclear_norm
from isthmus.methods.base import Update
from isthmus.methods.single_backbone import SingleBackbone
from isthmus.nn.backbones.base import Backbone, WithNeck
from isthmus.nn.classifiers import classifier
from isthmus.nn.processes import gathered


class BNM(SingleBackbone[UnsupervisedBatch]):
    r"""Besides the source labels, target predictions are learned that are certain and of many classes.

    $$\min_{G, C} E_{task} - \lambda \frac{1}{B} \lVert P \rVert_\star, \qquad
    P_i = \mathrm{softmax}(C(G(x^t_i)))$$

    Deviations: a backbone's own hidden classifier layers count as part of G, so that they see both domains under the
    batch-norm policy.

    Args:
        backbone: G.
        num_classes: K.
        trade_off: $\lambda$.
    """

    setting = Setting.UNSUPERVISED

    def __init__(self, backbone: Backbone, num_classes: int, *, trade_off: float = 1.0) -> None:
        super().__init__()
        at_least(0, trade_off=trade_off)
        self.backbone = WithNeck(backbone)
        self.head = classifier(self.backbone, num_classes)
        self.trade_off = trade_off

    def steps(self, batch: UnsupervisedBatch, progress: float) -> Iterator[Update]:
        features_s, features_t = self.backbone.both(batch.source.images, batch.target.images)

        task = cross_entropy(self.head(features_s), batch.source.labels)
        norm = batch_nuclear_norm(gathered(self.head(features_t)))
        yield Update(
            task - self.trade_off * norm,
            on=("backbone", "head"),
            log={"task": task, "nuclear_norm": norm},
            source=features_s,
            target=features_t,
        )
