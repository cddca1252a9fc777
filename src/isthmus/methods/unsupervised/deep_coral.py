"""Deep CORAL: correlation alignment for deep domain adaptation (Sun and Saenko, ECCV workshops 2016)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, get_args

from torch.nn.functional import cross_entropy

from isthmus.checks import at_least, one_of
from isthmus.data.batches import UnsupervisedBatch
from isthmus.data.tasks import Setting
from isthmus.functional.moments import coral
from isthmus.methods.base import Update
from isthmus.methods.single_backbone import SingleBackbone
from isthmus.nn.backbones.base import Backbone, WithNeck
from isthmus.nn.classifiers import classifier
from isthmus.nn.processes import gathered

Layer = Literal["logits", "features"]


class DeepCORAL(SingleBackbone[UnsupervisedBatch]):
    r"""The covariances of the domains' logits are drawn together.

    $$\min_{G, C} E_{task}(G, C) + \frac{\lambda}{4 d^2} \lVert C_S - C_T \rVert_F^2$$

    Args:
        backbone: G, up to the classifier's last hidden layer.
        num_classes: K.
        trade_off: $\lambda$. The paper wants both losses about equal at the end of training; 0.8 is the authors' for
            Amazon to Webcam.
        layer: the layer whose covariances are matched, `features` being the classifier's last hidden ones.
    """

    setting = Setting.UNSUPERVISED

    def __init__(
        self, backbone: Backbone, num_classes: int, *, trade_off: float = 0.8, layer: Layer = "logits"
    ) -> None:
        super().__init__()
        at_least(0, trade_off=trade_off)
        one_of(get_args(Layer), layer=layer)
        self.backbone = WithNeck(backbone)
        self.head = classifier(self.backbone, num_classes)
        self.trade_off = trade_off
        self.layer: Layer = layer

    def steps(self, batch: UnsupervisedBatch, progress: float) -> Iterator[Update]:
        features_s, features_t = self.backbone.both(batch.source.images, batch.target.images)
        logits_s = self.head(features_s)
        matched = (features_s, features_t) if self.layer == "features" else (logits_s, self.head(features_t))

        task = cross_entropy(logits_s, batch.source.labels)
        alignment = coral(*map(gathered, matched))
        yield Update(
            task + self.trade_off * alignment,
            on=("backbone", "head"),
            log={"task": task, "coral": alignment},
            source=features_s,
            target=features_t,
        )
