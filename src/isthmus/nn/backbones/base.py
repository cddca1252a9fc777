"""What every backbone offers to methods."""

from __future__ import annotations

from contextlib import nullcontext
from typing import cast

import torch
from torch import Tensor, nn

from isthmus.errors import OptionError
from isthmus.names import BatchNormPolicy
from isthmus.nn.batch_norm import batch_norms, running_statistics_kept


class Backbone(nn.Module):
    """Images (or feature vectors) to features, (batch, out_features).

    A backbone may propose hidden layers of a classifier that belong to its architecture, its `neck`: the papers' digit
    networks count them as part of the classifier (DANN, MCD, DFA), SymNets as part of the feature extractor.

    Attributes:
        out_features: width of the features.
        hidden_features: width after the neck; `out_features` where there is none.
        pretrained: whether the weights come from another data set (fine-tuning then uses a smaller learning rate).
        convolutional: whether images should be laid out channels-last.
        batch_norm: how batch statistics are taken over the two domains.
        frozen_stages: how many of the first `stages` keep their weights and stay in evaluation mode.
    """

    out_features: int
    hidden_features: int
    pretrained: bool = False
    convolutional: bool = True
    batch_norm: BatchNormPolicy = "separate"
    frozen_stages: int = 0

    def neck(self) -> nn.Sequential:
        """Fresh hidden layers from `out_features` to `hidden_features`; none unless the architecture has some."""
        return nn.Sequential()

    def stages(self) -> list[list[nn.Module]]:
        """The parts that the architecture falls into, from input to features: all in one, unless it says more."""
        return [list(self.children())]

    def freeze(self, count: int) -> None:
        """Let the first `count` stages keep their weights and statistics.

        Raises:
            OptionError: there are not so many.
        """
        if count > len(self.stages()):
            raise OptionError(
                f"Expected `frozen_stages` of at most {len(self.stages())}, as many as this backbone has, "
                f"but got {count}."
            )
        self.frozen_stages = count
        self.requires_grad_(True)

    def stage_rates(self, decay: float) -> dict[nn.Parameter, float]:
        """Learning-rate factors: 1 in the last stage, and in every other `decay` times that of the next."""
        depth = len(stages := self.stages())
        return {
            parameter: decay ** (depth - 1 - place)
            for place, stage in enumerate(stages)
            for module in stage
            for parameter in module.parameters()
        }

    def encoder(self) -> nn.Sequential:
        """The layers from input to features, in order, for a decoder to mirror.

        Raises:
            OptionError: the architecture is no plain sequence of layers.
        """
        raise OptionError(
            f"A decoder cannot mirror this backbone, `{type(self).__name__}`. "
            f"Use `digits`, `svhn`, `signs`, `mlp`, `resnet18` or `resnet50`."
        )

    def both(self, source: Tensor, target: Tensor, *, follow_source: bool = True) -> tuple[Tensor, Tensor]:
        """Features of a source and of a target batch, under the batch-norm policy.

        Args:
            source: inputs of the source.
            target: inputs of the target.
            follow_source: whether running statistics follow the source too, where domains pass one by one; without,
                prediction on the target is by the target's own.
        """
        if self.batch_norm == "joint":
            features: Tensor = self(torch.cat([source, target]))
            return cast("tuple[Tensor, Tensor]", features.split([len(source), len(target)]))
        with nullcontext() if follow_source else running_statistics_kept(self):
            features_s = self(source)
        return features_s, self(target)

    def train(self, mode: bool = True) -> Backbone:
        """As for any module, but frozen stages and a frozen batch norm stay in evaluation mode."""
        super().train(mode)
        for module in self._frozen():
            module.eval()
        if self.batch_norm == "frozen":
            for layer in batch_norms(self.own_layers()):
                layer.eval()
        return self

    def requires_grad_(self, requires_grad: bool = True) -> Backbone:
        """As for any module, but frozen stages take no gradient."""
        super().requires_grad_(requires_grad)
        for module in self._frozen():
            module.requires_grad_(False)
        return self

    def own_layers(self) -> nn.Module:
        """What the policy `frozen` speaks of: the layers that the backbone came with."""
        return self

    def _frozen(self) -> list[nn.Module]:
        return [module for stage in self.stages()[: self.frozen_stages] for module in stage]


class WithNeck(Backbone):
    """A backbone and its neck as one backbone: features are what a linear classifier sees."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.backbone = backbone
        self.hidden = backbone.neck()
        self.out_features = self.hidden_features = backbone.hidden_features
        self.pretrained = backbone.pretrained
        self.convolutional = backbone.convolutional
        self.batch_norm = backbone.batch_norm
        self.frozen_stages = backbone.frozen_stages

    def stages(self) -> list[list[nn.Module]]:
        neck: list[list[nn.Module]] = [[self.hidden]] if len(self.hidden) else []
        return [*self.backbone.stages(), *neck]

    def encoder(self) -> nn.Sequential:
        return nn.Sequential(*self.backbone.encoder(), *self.hidden)

    def own_layers(self) -> nn.Module:
        return self.backbone  # a neck is fresh: in a classifier its batch norm is trained too

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.hidden(self.backbone(images))
        return features
