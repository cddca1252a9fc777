"""AdaBN: adaptive batch normalisation (Li et al., ICLR workshops 2017)."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch.nn.functional import cross_entropy

from isthmus.data.batches import UnsupervisedBatch
from isthmus.data.tasks import Setting
from isthmus.errors import OptionError
from isthmus.methods.base import Update
from isthmus.methods.single_backbone import SingleBackbone
from isthmus.nn.backbones.base import Backbone
from isthmus.nn.batch_norm import batch_norms, running_statistics_kept
from isthmus.nn.classifiers import classifier


class AdaBN(SingleBackbone[UnsupervisedBatch]):
    r"""Supervised training on the source; in prediction, batch normalisation by the target's mean and variance.

    $$y = \gamma_l \frac{x - \mu^t_l}{\sigma^t_l} + \beta_l \qquad \text{for every batch-normalised layer } l$$

    The source trains by its own batch statistics. After each step the target passes through backbone and classifier
    without a gradient, and the running statistics follow it alone.

    Deviations: $\mu^t$ and $\sigma^t$ are running averages over training batches, kept up at every step so that every
    evaluation sees them, and not taken over the whole target after training.

    Args:
        backbone: G. Under the batch-norm policy `joint` the source is normalised by itself all the same; under `frozen`
            the backbone keeps the statistics it came with, and only those of the classifier's hidden layers adapt.
        num_classes: K.

    Raises:
        OptionError: there is no batch norm that could adapt.
    """

    setting = Setting.UNSUPERVISED
    follows_source = False

    def __init__(self, backbone: Backbone, num_classes: int) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = classifier(backbone, num_classes)
        if not batch_norms(self.head) and (backbone.batch_norm == "frozen" or not batch_norms(backbone)):
            raise OptionError(
                "Method `adabn` adapts the statistics of batch normalisation, but this network has none, or they are "
                "frozen. Use another backbone, or `--batch-norm separate`."
            )

    def steps(self, batch: UnsupervisedBatch, progress: float) -> Iterator[Update]:
        with running_statistics_kept(self):
            features = self.backbone(batch.source.images)
            task = cross_entropy(self.head(features), batch.source.labels)
        yield Update(task, on=("backbone", "head"), log={"task": task}, source=features)

        with torch.no_grad():
            self.head(self.backbone(batch.target.images))
        # Older versions of torch would use the weights that were cast here, without gradients, in a term's pass too.
        torch.clear_autocast_cache()
