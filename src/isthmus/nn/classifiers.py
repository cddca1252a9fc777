"""Classifiers on a backbone's features."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from isthmus.nn.backbones.base import Backbone


def classifier(backbone: Backbone, num_classes: int) -> nn.Module:
    """A fresh classifier for `backbone`'s features: the hidden layers it proposes, if any, then one linear layer."""
    hidden, linear = backbone.neck(), nn.Linear(backbone.hidden_features, num_classes)
    return nn.Sequential(*hidden, linear) if len(hidden) else linear


def hidden_and_logits(
    head: nn.Module, features: Float[Tensor, "batch features"]
) -> tuple[Float[Tensor, "batch hidden"], Float[Tensor, "batch classes"]]:
    """What the last layer of a `classifier` sees, and its logits.

    Without hidden layers the last layer sees the backbone's features themselves.
    """
    if not isinstance(head, nn.Sequential):
        return features, head(features)
    hidden = head[:-1](features)
    return hidden, head[-1](hidden)


class SymmetricClassifier(nn.Module):
    r"""Source and target classifier side by side: $v = [v^s; v^t]$, 2K logits for K classes.

    Source: SymNets, section 3.1. Each is one linear layer on the shared features.
    """

    def __init__(self, in_features: int, num_classes: int) -> None:
        super().__init__()
        self.source = nn.Linear(in_features, num_classes)
        self.target = nn.Linear(in_features, num_classes)

    def forward(self, features: Float[Tensor, "batch features"]) -> Float[Tensor, "batch two_k"]:
        return torch.cat([self.source(features), self.target(features)], dim=1)


class Ensemble(nn.Module):
    """Two classifiers of the same features; their mean logits are its own."""

    def __init__(self, first: nn.Module, second: nn.Module) -> None:
        super().__init__()
        self.first = first
        self.second = second

    def forward(self, features: Float[Tensor, "batch features"]) -> Float[Tensor, "batch classes"]:
        logits: Tensor = (self.first(features) + self.second(features)) / 2
        return logits


class Classifier(nn.Module):
    """Backbone and classifier in one module: images to logits. What prediction needs and all that is saved."""

    def __init__(self, backbone: Backbone, head: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.head(self.backbone(images))
        return logits
