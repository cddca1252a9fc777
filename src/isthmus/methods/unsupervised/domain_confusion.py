"""Domain confusion by a separate discriminator: the baseline of SymNets (Zhang et al., CVPR 2019)."""

from __future__ import annotations

from collections.abc import Iterator

from torch.nn.functional import cross_entropy

from isthmus.checks import at_least, positive
from isthmus.data.batches import UnsupervisedBatch
from isthmus.data.tasks import Setting
from isthmus.functional.adversarial import domain_confusion, domain_discrimination
from isthmus.functional.schedules import ramp
from isthmus.methods.base import Update
from isthmus.methods.single_backbone import SingleBackbone
from isthmus.nn.backbones.base import Backbone
from isthmus.nn.classifiers import classifier
from isthmus.nn.discriminators import DomainDiscriminator, hidden_width


class DomainConfusion(SingleBackbone[UnsupervisedBatch]):
    r"""A discriminator tells the domains' features apart; the backbone makes its predictions uniform.

    $$\min_{G, C} E_{task}(G, C) + \lambda F_{domain}(G, D), \qquad \min_D E_{domain}(G, D) \qquad (4)$$

    Both from the same forward pass, in one simultaneous step. Where DANN's features seek the discriminator's mistakes,
    these seek its doubt. $\lambda$ rises with progress as $2 / (1 + e^{-\gamma p}) - 1$.

    Args:
        backbone: G.
        num_classes: K.
        hidden: width of the discriminator's hidden layers; by default that of the classifier's features, at most 1024.
        layers: number of the discriminator's hidden layers.
        trade_off: $\lambda$ at the end of training.
        gamma: how fast $\lambda$ rises.
    """

    setting = Setting.UNSUPERVISED

    def __init__(
        self,
        backbone: Backbone,
        num_classes: int,
        *,
        hidden: int | None = None,
        layers: int = 2,
        trade_off: float = 1.0,
        gamma: float = 10.0,
    ) -> None:
        super().__init__()
        at_least(0, trade_off=trade_off)
        positive(gamma=gamma)
        self.backbone = backbone
        self.head = classifier(backbone, num_classes)
        self.discriminator = DomainDiscriminator(
            backbone.out_features, hidden=hidden_width(backbone, hidden), layers=layers
        )
        self.trade_off = trade_off
        self.gamma = gamma

    def steps(self, batch: UnsupervisedBatch, progress: float) -> Iterator[Update]:
        strength = self.trade_off * ramp(progress, gamma=self.gamma)
        features_s, features_t = self.backbone.both(batch.source.images, batch.target.images)
        domain_s, domain_t = self.discriminator(features_s), self.discriminator(features_t)

        task = cross_entropy(self.head(features_s), batch.source.labels)
        confusion = domain_confusion(domain_s, domain_t)
        domain = 2 * domain_discrimination(domain_s, domain_t)  # (2) adds the domains' means

        features = Update(
            task + strength * confusion,
            on=("backbone", "head"),
            log={"task": task, "confusion": confusion},
            source=features_s,
            target=features_t,
        )
        yield features & Update(domain, on=("discriminator",), log={"domain": domain})
