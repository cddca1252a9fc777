"""What every backbone offers to methods."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from isthmus.errors import OptionError
from isthmus.nn.batch_norm import BatchNormPolicy, batch_norms


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
    """

    out_features: int
    hidden_features: int
    pretrained: bool = False
    convolutional: bool = True
    batch_norm: BatchNormPolicy = "separate"

    def neck(self) -> nn.Sequential:
        """Fresh hidden layers from `out_features` to `hidden_features`; none unless the architecture has some."""
        return nn.Sequential()

    def encoder(self) -> nn.Sequential:
        """The layers from input to features, in order, for a decoder to mirror.

        Raises:
            OptionError: the architecture is no plain sequence of layers.
        """
        raise OptionError(
            f"A decoder cannot mirror this backbone, `{type(self).__name__}`. "
            f"Use `digits`, `svhn`, `signs`, `mlp`, `resnet18` or `resnet50`."
        )

    def both(self, source: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        """Features of a source and of a target batch, under the batch-norm policy."""
        if self.batch_norm == "joint":
            features: Tensor = self(torch.cat([source, target]))
            return cast("tuple[Tensor, Tensor]", features.split([len(source), len(target)]))
        return self(source), self(target)

    def train(self, mode: bool = True) -> Backbone:
        """As for any module, but a frozen batch norm stays in evaluation mode."""
        super().train(mode)
        if self.batch_norm == "frozen":
            for layer in batch_norms(self):
                layer.eval()
        return self


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

    def encoder(self) -> nn.Sequential:
        return nn.Sequential(*self.backbone.encoder(), *self.hidden)

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.hidden(self.backbone(images))
        return features
