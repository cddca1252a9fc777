"""MCD: maximum classifier discrepancy (Saito et al., CVPR 2018)."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from isthmus.checks import at_least
from isthmus.data.batches import UnsupervisedBatch
from isthmus.data.tasks import Setting
from isthmus.functional.discrepancy import discrepancy
from isthmus.methods.base import Update
from isthmus.methods.single_backbone import SingleBackbone
from isthmus.nn.backbones.base import Backbone
from isthmus.nn.classifiers import Ensemble, classifier


class MCD(SingleBackbone[UnsupervisedBatch]):
    r"""Two classifiers learn the source and to disagree on the target; the backbone learns where they agree.

    $$\text{A:} \; \min_{G, F_1, F_2} L_{cls} \qquad \text{B:} \; \min_{F_1, F_2} L_{cls} - L_{adv} \qquad
    \text{C, } n \text{ times:} \; \min_G L_{adv}$$

    with $L_{cls}$ the sum of both classifiers' cross-entropies on the source and $L_{adv}$ their discrepancy on the
    target. The mean of both classifiers' logits gives the result.

    Args:
        backbone: G.
        num_classes: K.
        generator_steps: n.
    """

    setting = Setting.UNSUPERVISED
    head: Ensemble

    def __init__(self, backbone: Backbone, num_classes: int, *, generator_steps: int = 4) -> None:
        super().__init__()
        at_least(1, generator_steps=generator_steps)
        self.backbone = backbone
        self.head = Ensemble(classifier(backbone, num_classes), classifier(backbone, num_classes))
        self.generator_steps = generator_steps

    def steps(self, batch: UnsupervisedBatch, progress: float) -> Iterator[Update]:
        source, labels, target = batch.source.images, batch.source.labels, batch.target.images

        features_s = self.backbone(source)
        task = self._task(features_s, labels)
        yield Update(task, on=("backbone", "head"), log={"task": task}, source=features_s)

        features_s, features_t = self.backbone.both(source, target)
        features_s = features_s.detach()  # the backbone does not learn from them: what they came from can go
        task, gap = self._task(features_s, labels), self._discrepancy(features_t)
        yield Update(task - gap, on=("head",), log={"widened": gap})

        for step in range(self.generator_steps):
            if step > 0:  # the classifiers' update has left the first features as they are
                features_t = self._target(source, target)
            gap = self._discrepancy(features_t)
            yield Update(gap, on=("backbone",), log={"narrowed": gap}, target=features_t)

    def other_classifiers(self) -> dict[str, nn.Module]:
        return {"first": self.head.first, "second": self.head.second}

    def _target(self, source: Tensor, target: Tensor) -> Tensor:
        """The target's features, normalised as they are beside the source's."""
        if self.backbone.batch_norm == "joint":
            return self.backbone.both(source, target)[1]
        features: Tensor = self.backbone(target)
        return features

    def _task(self, features: Tensor, labels: Tensor) -> Tensor:
        return cross_entropy(self.head.first(features), labels) + cross_entropy(self.head.second(features), labels)

    def _discrepancy(self, features: Tensor) -> Tensor:
        return discrepancy(self.head.first(features), self.head.second(features))
