"""What methods with one network for each of several domains have in common."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import cast

from torch import Tensor, nn

from isthmus.data.batches import JointBatch, Labelled
from isthmus.data.tasks import Classification, Setting
from isthmus.errors import SettingError
from isthmus.methods.base import Method
from isthmus.nn.backbones.base import Backbone, WithNeck
from isthmus.nn.classifiers import Classifier


class SideBySide(Method[JointBatch]):
    """Copies of one backbone, all from the same initial weights, each with a classifier of its domain's classes.

    The first domain's are `backbone` and `head`, the others' `backbone_1`, `head_1` and so on: groups of their own.
    """

    setting = Setting.JOINT

    def __init__(self, backbone: Backbone, tasks: Sequence[Classification]) -> None:
        super().__init__()
        self.domains = len(tasks)
        self.backbone = WithNeck(backbone)
        for place, task in enumerate(tasks):
            backbone_name, head_name = self.group_names(place)
            if place:
                self.add_module(backbone_name, deepcopy(self.backbone))
            self.add_module(head_name, nn.Linear(self.backbone.out_features, task.num_classes))

    def group_names(self, place: int) -> tuple[str, str]:
        """The groups of a domain: its backbone and its classifier."""
        return (f"backbone_{place}", f"head_{place}") if place else ("backbone", "head")

    def network(self, place: int) -> tuple[Backbone, nn.Module]:
        """The backbone and the classifier of a domain."""
        backbone, head = (self.get_submodule(name) for name in self.group_names(place))
        return cast("Backbone", backbone), head

    def backbones(self) -> tuple[Backbone, ...]:
        """Of all domains."""
        return tuple(self.network(place)[0] for place in range(self.domains))

    def learning_rates(self, lr: float, backbone_factor: float) -> dict[str, float]:
        factor = backbone_factor if self.backbone.pretrained else 1.0
        return {name: lr if name.startswith("head") else factor * lr for name in self.groups()}

    def stage_rates(self, decay: float) -> dict[nn.Parameter, float]:
        return {p: rate for backbone in self.backbones() for p, rate in backbone.stage_rates(decay).items()}

    def predictors(self) -> tuple[Classifier, ...]:
        """Images to logits, for each domain."""
        return tuple(Classifier(*self.network(place)) for place in range(self.domains))


def images_and_labels(batch: JointBatch) -> tuple[Tensor, Tensor]:
    """Of a domain that has labels.

    Raises:
        SettingError: it has none.
    """
    if not isinstance(batch.samples, Labelled):
        raise SettingError(f"Expected labels in every domain, but domain {batch.domain} has none. Leave it out.")
    return batch.samples.images, batch.samples.labels
