"""What methods with one backbone for all domains have in common."""

from __future__ import annotations

from typing import ClassVar

from torch import nn

from isthmus.methods.base import BatchT, Method, Predictor
from isthmus.nn.backbones.base import Backbone
from isthmus.nn.classifiers import Classifier


class SingleBackbone(Method[BatchT]):
    """A `backbone`, and `head` for all classifiers on its features. Terms are for these methods.

    Attributes:
        follows_source: whether the backbone's running statistics, by which the target is predicted, follow the source
            too; where not, neither do they in a pass of the source for a term.
    """

    follows_source: ClassVar[bool] = True
    backbone: Backbone
    head: nn.Module

    @property
    def result(self) -> nn.Module:
        """The classifier that gives the method's result: features to logits."""
        return self.head

    @property
    def convolutional(self) -> bool:
        return self.backbone.convolutional

    def learning_rates(self, lr: float, backbone_factor: float) -> dict[str, float]:
        rates = dict.fromkeys(self.groups(), lr)
        if self.backbone.pretrained:
            rates["backbone"] = backbone_factor * lr
        return rates

    def stage_rates(self, decay: float) -> dict[nn.Parameter, float]:
        return self.backbone.stage_rates(decay)

    def predictors(self) -> tuple[Predictor, ...]:
        return (Classifier(self.backbone, self.result),)
