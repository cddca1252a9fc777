"""What methods with one network for each of several domains have in common."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Union, cast

from torch import Tensor, nn

from isthmus.data.batches import JointBatch, Labelled
from isthmus.data.tasks import Classification, Setting
from isthmus.errors import OptionError, SettingError
from isthmus.methods.base import Method
from isthmus.nn.backbones.base import Backbone, WithNeck
from isthmus.nn.classifiers import Classifier
from isthmus.nn.matched_layers import start_alike

Backbones = Union[Backbone, Sequence[Backbone]]
"""One that is copied for each domain, or one for each, of which some may be the same."""


class SideBySide(Method[JointBatch]):
    """Copies of one backbone, all from the same initial weights, each with a classifier of its domain's classes.

    Backbones of several architectures start from the same weights where they have the same layers.

    The first domain's are `backbone` and `head`, the others' `backbone_1`, `head_1` and so on: groups of their own.
    """

    setting = Setting.JOINT

    def __init__(self, backbone: Backbones, tasks: Sequence[Classification]) -> None:
        super().__init__()
        self.domains = len(tasks)
        backbones = [backbone] * self.domains if isinstance(backbone, Backbone) else backbone
        if len(backbones) != self.domains:
            raise OptionError(f"Expected a backbone for each of {self.domains} domains, but got {len(backbones)}.")
        whole = {each: WithNeck(each) for each in dict.fromkeys(backbones)}
        start_alike(list(whole.values()))
        for place, (each, task) in enumerate(zip(backbones, tasks)):
            backbone_name, head_name = self.group_names(place)
            self.add_module(backbone_name, deepcopy(whole[each]) if place else whole[each])
            self.add_module(head_name, nn.Linear(whole[each].out_features, task.num_classes))

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
        pretrained = {self.group_names(place)[0]: each.pretrained for place, each in enumerate(self.backbones())}
        slow = {name: pretrained.get(name, self.backbone.pretrained) for name in self.groups()}
        return {name: backbone_factor * lr if slow[name] and not name.startswith("head") else lr for name in slow}

    def stage_rates(self, decay: float) -> dict[nn.Parameter, float]:
        return {p: rate for backbone in self.backbones() for p, rate in backbone.stage_rates(decay).items()}

    def predictors(self) -> tuple[Classifier, ...]:
        """Images to logits, for each domain."""
        return tuple(Classifier(*self.network(place)) for place in range(self.domains))


def one_architecture(backbone: Backbones) -> Backbone:
    """The backbone of methods whose domains have layers that are one and the same.

    Raises:
        OptionError: there are several.
    """
    distinct = [backbone] if isinstance(backbone, Backbone) else list(dict.fromkeys(backbone))
    if len(distinct) > 1:
        raise OptionError(
            f"`share_all`, `l2_reg_25`, `l2_reg_50` and `pretrain_finetune` need one backbone for all domains, but got "
            f"{len(distinct)} different ones. Give one by `backbone`, or use `isolated`, `l2_reg` or `joint_irls`."
        )
    return distinct[0]


def images_and_labels(batch: JointBatch) -> tuple[Tensor, Tensor]:
    """Of a domain that has labels.

    Raises:
        SettingError: it has none.
    """
    if not isinstance(batch.samples, Labelled):
        raise SettingError(f"Expected labels in every domain, but domain {batch.domain} has none. Leave it out.")
    return batch.samples.images, batch.samples.labels
