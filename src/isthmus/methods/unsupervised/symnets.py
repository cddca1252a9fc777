"""SymNets: domain-symmetric networks for adversarial domain adaptation (Zhang et al., CVPR 2019)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, get_args

from torch import nn

from isthmus.checks import one_of, positive
from isthmus.data.batches import UnsupervisedBatch
from isthmus.data.tasks import Setting
from isthmus.functional import symmetric
from isthmus.functional.schedules import ramp
from isthmus.methods.base import Update
from isthmus.methods.single_backbone import SingleBackbone
from isthmus.nn.backbones.base import Backbone, WithNeck
from isthmus.nn.classifiers import SymmetricClassifier

Ablation = Literal["target_task", "entropy", "confusion", "category_confusion"]


class SymNets(SingleBackbone[UnsupervisedBatch]):
    r"""Two classifiers on shared features learn the source labels and to tell the domains; the features confuse them.

    $$\min_{C^s, C^t} E^s_{task} + E^t_{task} + E_{domain} \qquad (5) + (6) + (7)$$
    $$\min_G F_{category} + \lambda (F_{domain} + M) \qquad (8) + \lambda [(9) + (10)]$$

    Both from the same forward pass, in one simultaneous step (eq. 11); $\lambda = 2 / (1 + e^{-\gamma p}) - 1$. The
    target classifier $C^t$ gives the result.

    Deviations: a backbone's own hidden classifier layers count as part of G, so that both classifiers are one linear
    layer, as in the paper.

    Args:
        backbone: G.
        num_classes: K.
        gamma: how fast $\lambda$ rises.
        classifier_lr_ratio: learning rate of the classifiers over that of G.
        without: the paper's ablations: `target_task` drops (6), and $C^s$ gives the result; `entropy` drops (10);
            `category_confusion` puts (12) in place of (8); `confusion` drops (9) and puts (13) in place of (8).
    """

    setting = Setting.UNSUPERVISED
    head: SymmetricClassifier

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        *,
        gamma: float = 10.0,
        classifier_lr_ratio: float = 10.0,
        without: Ablation | None = None,
    ) -> None:
        super().__init__()
        positive(gamma=gamma, classifier_lr_ratio=classifier_lr_ratio)
        if without is not None:
            one_of(get_args(Ablation), without=without)
        self.backbone = WithNeck(backbone)
        self.head = SymmetricClassifier(self.backbone.out_features, num_classes)
        self.gamma = gamma
        self.classifier_lr_ratio = classifier_lr_ratio
        self.without = without

    def learning_rates(self, lr: float, backbone_factor: float) -> dict[str, float]:
        rates = super().learning_rates(lr, backbone_factor)
        return rates | {"head": self.classifier_lr_ratio * rates["backbone"]}

    def steps(self, batch: UnsupervisedBatch, progress: float) -> Iterator[Update]:
        trade_off = ramp(progress, gamma=self.gamma)
        features_s, features_t = self.backbone.both(batch.source.images, batch.target.images)
        logits_s, logits_t = self.head(features_s), self.head(features_t)
        labels = batch.source.labels

        task = (symmetric.source_task if self.without == "target_task" else symmetric.task)(logits_s, labels)
        domain = symmetric.domain_discrimination(logits_s, logits_t)
        category_confusion = symmetric.category_confusion(logits_s, labels)
        domain_confusion = symmetric.domain_confusion(logits_t)
        entropy = symmetric.paired_entropy(logits_t)

        on_source, on_target = category_confusion, domain_confusion + entropy
        if self.without == "entropy":
            on_target = domain_confusion
        elif self.without == "category_confusion":
            on_source = symmetric.domain_confusion(logits_s)  # (12)
        elif self.without == "confusion":
            on_source, on_target = task / 2, entropy  # (13)

        classifiers = Update(task + domain, on=("head",), log={"task": task, "domain": domain})
        features = Update(
            on_source + trade_off * on_target,
            on=("backbone",),
            log={
                "category_confusion": category_confusion,
                "domain_confusion": domain_confusion,
                "paired_entropy": entropy,
            },
            source=features_s,
            target=features_t,
        )
        yield classifiers & features

    @property
    def result(self) -> nn.Module:
        return self.head.source if self.without == "target_task" else self.head.target

    def other_classifiers(self) -> dict[str, nn.Module]:
        return {name: classifier for name, classifier in self.head.named_children() if classifier is not self.result}
