"""One network for all domains first, then a copy of it for each alone."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from isthmus.checks import below, positive
from isthmus.data.batches import JointBatch
from isthmus.data.tasks import Classification
from isthmus.methods.base import Stage, Survey, Update
from isthmus.methods.side_by_side import Backbones, SideBySide, images_and_labels, one_architecture
from isthmus.nn.classifiers import Classifier


class PretrainFinetune(SideBySide):
    r"""Supervised training of one backbone with a classifier for each domain, then of every domain's own copy.

    $$\min_{\theta} \sum_i f_i(\theta) \quad \text{then} \quad \min_{\theta_i} f_i(\theta_i) \text{ for each } i$$

    The second part has optimisers and a schedule of its own. Domains take turns batch by batch.

    Source: Zhang et al., "Joint learning of neural networks via iterative reweighted least squares", 2019, section 5,
    the baselines.

    Args:
        backbone: of all domains.
        tasks: of the domains, in order.
        pretrain_share: part of the run that is spent on all domains together; the paper leaves it open.
    """

    turns = "batch"
    apart: Tensor

    def __init__(self, backbone: Backbones, *tasks: Classification, pretrain_share: float = 0.5) -> None:
        super().__init__(one_architecture(backbone), tasks)
        positive(pretrain_share=pretrain_share)
        below(1, pretrain_share=pretrain_share)
        self.pretrain_share = pretrain_share
        self.register_buffer("apart", torch.tensor(False))
        self.finetuning = False  # what the buffer says, without waiting for a device

    def stages(self) -> tuple[Stage[JointBatch], ...]:
        return (
            Stage("pretrain", self._pretraining_steps, until=self.pretrain_share),
            Stage("finetune", self.steps),
        )

    def before_epoch(self, epoch: int, progress: float, survey: Survey) -> None:
        self.finetuning = bool(self.apart)

    def steps(self, batch: JointBatch, progress: float) -> Iterator[Update]:
        if not self.finetuning:
            self._part()
        yield self._update(batch, *self.group_names(batch.domain))

    def predictors(self) -> tuple[Classifier, ...]:
        """Images to logits, for each domain: with the common backbone as long as there is no other."""
        own = super().predictors()
        return own if self.apart else tuple(Classifier(self.backbone, network.head) for network in own)

    def _pretraining_steps(self, batch: JointBatch, progress: float) -> Iterator[Update]:
        yield self._update(batch, "backbone", self.group_names(batch.domain)[1])

    def _update(self, batch: JointBatch, backbone: str, head: str) -> Update:
        images, labels = images_and_labels(batch)
        task = cross_entropy(self.get_submodule(head)(self.get_submodule(backbone)(images)), labels)
        return Update(task, on=(backbone, head), log={"task": task})

    def _part(self) -> None:
        """Give every domain a copy of the common backbone."""
        for other in self.backbones()[1:]:
            other.load_state_dict(self.backbone.state_dict())
        self.apart.fill_(True)
        self.finetuning = True
