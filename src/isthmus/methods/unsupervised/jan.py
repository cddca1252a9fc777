"""JAN: joint adaptation networks (Long et al., ICML 2017)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

from torch.nn.functional import cross_entropy

from isthmus.checks import at_least, one_of, positive
from isthmus.data.batches import UnsupervisedBatch
from isthmus.data.tasks import Setting
from isthmus.functional.kernels import Estimate, joint_mmd
from isthmus.functional.schedules import ramp
from isthmus.methods.base import Update
from isthmus.methods.single_backbone import SingleBackbone
from isthmus.nn.backbones.base import Backbone, WithNeck
from isthmus.nn.classifiers import classifier
from isthmus.nn.processes import gathered


class JAN(SingleBackbone[UnsupervisedBatch]):
    r"""The domains' joint distributions of features and predictions are drawn together by their kernel means.

    $$\min_{G, C} E_{task}(G, C) + \lambda \hat D_L(P, Q)$$

    where $\hat D_L$ is the squared MMD under the product of a kernel of the last hidden features and one of the
    softmax predictions. $\lambda$ rises with progress as $2 / (1 + e^{-\gamma p}) - 1$.

    Deviations: $\hat D_L$ is estimated from all pairs, which has the same mean as the paper's linear-time estimate and
    a much smaller variance.

    Args:
        backbone: G, up to the classifier's last hidden layer.
        num_classes: K.
        trade_off: $\lambda$ at the end of training.
        gamma: how fast $\lambda$ rises.
        kernels: number of Gaussian kernels of the features, of bandwidths that double around the mean squared distance.
        prediction_bandwidth: of the one kernel of the predictions; the authors' code has 1.68.
        estimate: of the joint MMD: `unbiased` or `biased`, from all pairs, or the paper's, `linear`.
    """

    setting = Setting.UNSUPERVISED

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        *,
        trade_off: float = 1.0,
        gamma: float = 10.0,
        kernels: int = 5,
        prediction_bandwidth: float = 1.68,
        estimate: Estimate = "unbiased",
    ) -> None:
        super().__init__()
        at_least(0, trade_off=trade_off)
        at_least(1, kernels=kernels)
        positive(gamma=gamma, prediction_bandwidth=prediction_bandwidth)
        one_of(get_args(Estimate), estimate=estimate)
        self.backbone = WithNeck(backbone)
        self.head = classifier(self.backbone, num_classes)
        self.trade_off = trade_off
        self.gamma = gamma
        self.kernels = kernels
        self.prediction_bandwidth = prediction_bandwidth
        self.estimate: Estimate = estimate

    def steps(self, batch: UnsupervisedBatch, progress: float) -> Iterator[Update]:
        strength = self.trade_off * ramp(progress, gamma=self.gamma)
        features_s, features_t = self.backbone.both(batch.source.images, batch.target.images)
        logits_s, logits_t = self.head(features_s), self.head(features_t)

        task = cross_entropy(logits_s, batch.source.labels)
        discrepancy = joint_mmd(
            [gathered(features_s), gathered(logits_s.softmax(dim=1))],
            [gathered(features_t), gathered(logits_t.softmax(dim=1))],
            kernels=[self.kernels, 1],
            bandwidths=[None, self.prediction_bandwidth],
            estimate=self.estimate,
        )
        yield Update(
            task + strength * discrepancy,
            on=("backbone", "head"),
            log={"task": task, "joint_mmd": discrepancy},
            source=features_s,
            target=features_t,
        )
