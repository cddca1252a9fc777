"""Classification: a backbone, and a classifier of the domain's own classes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from copy import deepcopy

from torch import nn
from torch.nn.functional import cross_entropy

from isthmus.data.batches import DomainBatch, Labelled
from isthmus.data.tasks import Classification, DomainTask
from isthmus.errors import SettingError
from isthmus.methods.base import Update
from isthmus.methods.learners.base import Learner
from isthmus.nn.backbones.base import Backbone
from isthmus.nn.classifiers import Classifier


class ClassificationLearner(Learner):
    """A backbone, which is matched, and one linear layer, which is where domains have the same classes."""

    matched = ("backbone",)
    labelled = ("head",)

    def __init__(self, backbone: Backbone, task: Classification) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = nn.Linear(backbone.out_features, task.num_classes)
        self.task = task
        self.pretrained = backbone.pretrained
        self.convolutional = backbone.convolutional

    def beside(self, task: DomainTask) -> Learner:
        if task == self.task:
            return deepcopy(self)
        assert isinstance(task, Classification)  # as all domains of a problem have tasks of one kind
        return ClassificationLearner(deepcopy(self.backbone), task)

    def matched_network(self, classes: str) -> nn.Module:
        return nn.Sequential(OrderedDict([*self.backbone.named_children(), (f"head of {classes}", self.head)]))

    def steps(self, samples: DomainBatch) -> Iterator[Update]:
        if not isinstance(samples, Labelled):
            raise SettingError("Expected labels in every domain, but one has none. Leave it out.")
        task = cross_entropy(self.head(self.backbone(samples.images)), samples.labels)
        yield Update(task, on=("backbone", "head"), log={"task": task})

    def predictor(self) -> Classifier:
        return Classifier(self.backbone, self.head)

    def stage_rates(self, decay: float) -> dict[nn.Parameter, float]:
        return self.backbone.stage_rates(decay)
