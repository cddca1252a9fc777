"""ADDA: adversarial discriminative domain adaptation (Tzeng et al., CVPR 2017)."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy

import torch
from torch.nn.functional import cross_entropy

from isthmus.checks import below, positive
from isthmus.data.batches import UnsupervisedBatch
from isthmus.data.tasks import Setting
from isthmus.functional.adversarial import domain_discrimination, inverted_labels
from isthmus.methods.base import Stage, Update
from isthmus.methods.single_backbone import SingleBackbone
from isthmus.nn.backbones.base import Backbone
from isthmus.nn.classifiers import classifier
from isthmus.nn.discriminators import DomainDiscriminator


class ADDA(SingleBackbone[UnsupervisedBatch]):
    r"""A target network starts from a trained source network and learns to pass for it, the classifier left as it is.

    $$\text{pretrain:} \; \min_{M_s, C} E_{task}(M_s, C) \qquad
    \text{adapt:} \; \min_D E_{domain}(M_s, M_t, D), \quad \min_{M_t} -\frac{1}{n_t} \sum_j \log D(M_t(x^t_j))$$

    with D the probability of the source, and $E_{domain}$ its cross-entropy (eq. 9). In stage `adapt` the discriminator
    and the target network take one step each in turn; $M_s$ and C stay as `pretrain` left them.

    With the full rate of a network trained from scratch the two networks diverge from each other, so `adapt` has a
    lower one, as in the paper.

    Args:
        backbone: $M_s$ while pretraining, then $M_t$.
        num_classes: K.
        pretrain: share of the run that trains on the source.
        adapt_lr: learning rates of `adapt` over those of `pretrain`; 0.2 as in the authors' code.
        hidden: width of the discriminator's hidden layers.
        layers: number of the discriminator's hidden layers.
    """

    setting = Setting.UNSUPERVISED
    follows_source = False  # but for `pretrain`, whose updates pass the source themselves

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        *,
        pretrain: float = 0.5,
        adapt_lr: float = 0.2,
        hidden: int = 500,
        layers: int = 2,
    ) -> None:
        super().__init__()
        positive(pretrain=pretrain, adapt_lr=adapt_lr)
        below(1, pretrain=pretrain)
        self.backbone = backbone
        self.source_backbone = deepcopy(backbone)
        self.head = classifier(backbone, num_classes)
        self.discriminator = DomainDiscriminator(backbone.out_features, hidden=hidden, layers=layers)
        self.pretrain = pretrain
        self.adapt_lr = adapt_lr

    def stages(self) -> tuple[Stage[UnsupervisedBatch], ...]:
        return (
            Stage("pretrain", self.source_steps, until=self.pretrain, frozen=("source_backbone",)),
            Stage(
                "adapt",
                self.steps,
                frozen=("source_backbone", "head"),
                lr_factor=self.adapt_lr,
                begin=self._keep_source,
            ),
        )

    def source_steps(self, batch: UnsupervisedBatch, progress: float) -> Iterator[Update]:
        """The updates of stage `pretrain`."""
        features = self.backbone(batch.source.images)
        task = cross_entropy(self.head(features), batch.source.labels)
        yield Update(task, on=("backbone", "head"), log={"task": task}, source=features)

    def steps(self, batch: UnsupervisedBatch, progress: float) -> Iterator[Update]:
        with torch.no_grad():
            features_s = self.source_backbone(batch.source.images)
        features_t = self.backbone(batch.target.images)

        domain = domain_discrimination(self.discriminator(features_s), self.discriminator(features_t.detach()))
        yield Update(domain, on=("discriminator",), log={"domain": domain})

        fooling = inverted_labels(self.discriminator(features_t))
        yield Update(fooling, on=("backbone",), log={"fooling": fooling}, target=features_t)

    def _keep_source(self) -> None:
        """Keep what pretraining has made as the source network; the target's goes on from there."""
        self.source_backbone.load_state_dict(self.backbone.state_dict())
