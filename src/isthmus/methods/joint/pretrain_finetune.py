"""One network for all domains first, then a copy of it for each alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from isthmus.checks import positive
from isthmus.data.batches import JointBatch
from isthmus.data.tasks import Classification
from isthmus.errors import OptionError
from isthmus.methods.base import Survey, Update
from isthmus.methods.side_by_side import SideBySide, images_and_labels
from isthmus.nn.backbones.base import Backbone
from isthmus.nn.classifiers import Classifier


class PretrainFinetune(SideBySide):
    r"""Supervised training of one backbone with a classifier for each domain, then of every domain's own copy.

    $$\min_{\theta} \sum_i f_i(\theta) \quad \text{then} \quad \min_{\theta_i} f_i(\theta_i) \text{ for each } i$$

    Args:
        backbone: of all domains.
        tasks: of the domains, in order.
        pretrain_share: part of the run, in whole epochs, that is spent on all domains together; the paper leaves it
            open.
    """

    apart: Tensor

    def __init__(self, backbone: Backbone, tasks: Sequence[Classification], *, pretrain_share: float = 0.5) -> None:
        super().__init__(backbone, tasks)
        positive(pretrain_share=pretrain_share)
        if pretrain_share >= 1:
            raise OptionError(f"Expected `pretrain_share` below 1, but got {pretrain_share}.")
        self.pretrain_share = pretrain_share
        self.register_buffer("apart", torch.tensor(False))
        self.finetuning = False

    def before_epoch(self, epoch: int, progress: float, survey: Survey) -> None:
        self.finetuning = progress >= self.pretrain_share
        if self.finetuning and not self.apart:
            for place in range(1, self.domains):
                self.network(place)[0].load_state_dict(self.backbone.state_dict())
            self.apart.fill_(True)

    def steps(self, batch: JointBatch, progress: float) -> Iterator[Update]:
        images, labels = images_and_labels(batch)
        own_backbone, own_head = self.group_names(batch.domain)
        name = own_backbone if self.finetuning else "backbone"
        task = cross_entropy(self.get_submodule(own_head)(self.get_submodule(name)(images)), labels)
        yield Update(task, on=(name, own_head), log={"task": task})

    def predictors(self) -> tuple[Classifier, ...]:
        """Images to logits, for each domain: with the common backbone as long as there is no other."""
        own = super().predictors()
        return own if self.apart else tuple(Classifier(self.backbone, network.head) for network in own)
