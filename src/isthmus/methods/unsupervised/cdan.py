"""CDAN: conditional adversarial domain adaptation (Long et al., NeurIPS 2018)."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor
from torch.nn.functional import cross_entropy

from isthmus.checks import at_least, positive
from isthmus.data.batches import UnsupervisedBatch
from isthmus.data.tasks import Setting
from isthmus.functional.adversarial import domain_discrimination
from isthmus.functional.information import entropy_weights
from isthmus.functional.schedules import ramp
from isthmus.methods.base import Update
from isthmus.methods.single_backbone import SingleBackbone
from isthmus.nn.backbones.base import Backbone, WithNeck
from isthmus.nn.classifiers import classifier
from isthmus.nn.discriminators import ConditionalDiscriminator, hidden_width
from isthmus.nn.gradient_reversal import reverse_gradient
from isthmus.nn.processes import gathered


class CDAN(SingleBackbone[UnsupervisedBatch]):
    r"""A discriminator of features times predictions; reversed gradients train the backbone to fool it class by class.

    $$\min_{G, C} \max_D \; E_{task}(G, C) - \lambda E_{domain}(D \circ T(f, g)), \qquad T(f, g) = f \otimes g$$

    with features $f = G(x)$ and predictions $g = \mathrm{softmax}(C(f))$, which are constants to this loss; as one
    minimisation by gradient reversal. Above 4096 products T is the randomised multilinear map. CDAN+E weighs each image
    in $E_{domain}$ by $1 + e^{-H(g)}$. $\lambda$ rises with progress as $2 / (1 + e^{-\gamma p}) - 1$.

    Deviations: a backbone's own hidden classifier layers count as part of G, so that f is what the last layer sees; the
    weights of CDAN+E are constants too.

    Args:
        backbone: G.
        num_classes: K.
        entropy: whether images weigh by the certainty of their predictions (CDAN+E).
        hidden: width of the discriminator's hidden layers; by default that of the features, at most 1024.
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
        entropy: bool = False,
        hidden: int | None = None,
        layers: int = 2,
        trade_off: float = 1.0,
        gamma: float = 10.0,
    ) -> None:
        super().__init__()
        at_least(0, trade_off=trade_off)
        positive(gamma=gamma)
        self.backbone = WithNeck(backbone)
        self.head = classifier(self.backbone, num_classes)
        self.discriminator = ConditionalDiscriminator(
            self.backbone.out_features, num_classes, hidden=hidden_width(backbone, hidden), layers=layers
        )
        self.entropy = entropy
        self.trade_off = trade_off
        self.gamma = gamma

    def steps(self, batch: UnsupervisedBatch, progress: float) -> Iterator[Update]:
        strength = self.trade_off * ramp(progress, gamma=self.gamma)
        features_s, features_t = self.backbone.both(batch.source.images, batch.target.images)
        logits_s, logits_t = self.head(features_s), self.head(features_t)

        task = cross_entropy(logits_s, batch.source.labels)
        domain_s = self._discriminate(features_s, logits_s, strength)
        domain_t = self._discriminate(features_t, logits_t, strength)
        if self.entropy:
            weights_s, weights_t = (entropy_weights(gathered(logits.detach())) for logits in (logits_s, logits_t))
            domain = domain_discrimination(gathered(domain_s), gathered(domain_t), weights_s, weights_t)
        else:
            domain = domain_discrimination(domain_s, domain_t)
        yield Update(
            task + domain,
            on=("backbone", "head", "discriminator"),
            log={"task": task, "domain": domain},
            source=features_s,
            target=features_t,
        )

    def _discriminate(self, features: Tensor, logits: Tensor, strength: float) -> Tensor:
        domain: Tensor = self.discriminator(reverse_gradient(features, strength), logits.detach().softmax(dim=1))
        return domain
