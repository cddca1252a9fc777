"""DAN: deep adaptation networks (Long et al., ICML 2015)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, get_args

from torch import Tensor
from torch.nn.functional import cross_entropy

from isthmus.checks import at_least, one_of
from isthmus.data.batches import UnsupervisedBatch
from isthmus.data.tasks import Setting
from isthmus.functional.kernels import Estimate, mmd
from isthmus.methods.base import Update
from isthmus.methods.single_backbone import SingleBackbone
from isthmus.nn.backbones.base import Backbone, WithNeck
from isthmus.nn.classifiers import classifier
from isthmus.nn.processes import gathered

Layers = Literal["both", "features", "logits"]


class DAN(SingleBackbone[UnsupervisedBatch]):
    r"""The domains' kernel means of the last hidden features and of the logits are drawn together.

    $$\min_{G, C} E_{task}(G, C) + \lambda \sum_l d_k^2(D^l_s, D^l_t)$$

    where $d_k^2$ is the squared MMD of layer l under a sum of Gaussian kernels.

    Deviations: $d_k^2$ is estimated from all pairs, which has the same mean as the paper's linear-time estimate and a
    much smaller variance; every kernel has weight 1, as in the authors' code, instead of one from a quadratic program.

    Args:
        backbone: G, up to the classifier's last hidden layer.
        num_classes: K.
        trade_off: $\lambda$.
        layers: which layers are matched.
        kernels: number of Gaussian kernels, of bandwidths that double around the mean squared distance.
        estimate: of the MMD: `unbiased` or `biased`, from all pairs, or the paper's, `linear`.
    """

    setting = Setting.UNSUPERVISED

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        *,
        trade_off: float = 1.0,
        layers: Layers = "both",
        kernels: int = 5,
        estimate: Estimate = "unbiased",
    ) -> None:
        super().__init__()
        at_least(0, trade_off=trade_off)
        at_least(1, kernels=kernels)
        one_of(get_args(Layers), layers=layers)
        one_of(get_args(Estimate), estimate=estimate)
        self.backbone = WithNeck(backbone)
        self.head = classifier(self.backbone, num_classes)
        self.trade_off = trade_off
        self.layers: Layers = layers
        self.kernels = kernels
        self.estimate: Estimate = estimate

    def steps(self, batch: UnsupervisedBatch, progress: float) -> Iterator[Update]:
        features_s, features_t = self.backbone.both(batch.source.images, batch.target.images)
        logits_s = self.head(features_s)
        task = cross_entropy(logits_s, batch.source.labels)

        matched = {}
        if self.layers != "logits":
            matched["mmd_features"] = self._mmd(features_s, features_t)
        if self.layers != "features":
            matched["mmd_logits"] = self._mmd(logits_s, self.head(features_t))
        yield Update(
            task + self.trade_off * sum(matched.values()),
            on=("backbone", "head"),
            log={"task": task, **matched},
            source=features_s,
            target=features_t,
        )

    def _mmd(self, source: Tensor, target: Tensor) -> Tensor:
        return mmd(gathered(source), gathered(target), kernels=self.kernels, estimate=self.estimate)
