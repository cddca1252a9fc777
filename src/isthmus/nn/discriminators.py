"""Domain discriminators."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from isthmus.checks import at_least
from isthmus.functional.multilinear import multilinear, randomised_multilinear
from isthmus.nn.backbones.base import Backbone

LARGEST_PRODUCT = 4096
"""More products of features and classes than these are replaced by random ones."""

RANDOM_PRODUCTS = 1024
"""How many random ones."""


def hidden_width(backbone: Backbone, hidden: int | None) -> int:
    """`hidden`, or by default the width of the classifier's features, at most 1024."""
    return min(backbone.hidden_features, 1024) if hidden is None else hidden


class DomainDiscriminator(nn.Module):
    """Fully connected network from features to one logit: source below zero, target above.

    No batch norm: with it, a batch of one domain alone could be told by nothing but its own statistics.

    Args:
        in_features: width of the features.
        hidden: width of each hidden layer.
        layers: number of hidden layers.

    Raises:
        OptionError: a width below 1, or a negative number of layers.
    """

    def __init__(self, in_features: int, *, hidden: int, layers: int) -> None:
        super().__init__()
        at_least(1, hidden=hidden)
        at_least(0, layers=layers)
        widths = [in_features] + [hidden] * layers
        blocks = [[nn.Linear(a, b), nn.ReLU()] for a, b in zip(widths, widths[1:])]
        self.layers = nn.Sequential(*[layer for block in blocks for layer in block], nn.Linear(widths[-1], 1))

    def forward(self, features: Float[Tensor, "batch features"]) -> Float[Tensor, "batch"]:
        logits: Tensor = self.layers(features)
        return logits.squeeze(1)


class ConditionalDiscriminator(nn.Module):
    """A domain discriminator that sees features together with predictions: the products of all pairs.

    More than 4096 products are replaced by 1024 random ones. Their matrices are fixed and saved with the weights.
    Source: CDAN, multilinear conditioning.

    Args:
        in_features: width of the features.
        num_classes: width of the predictions.
        hidden: width of each hidden layer.
        layers: number of hidden layers.
    """

    matrix_f: Tensor | None
    matrix_g: Tensor | None

    def __init__(self, in_features: int, num_classes: int, *, hidden: int, layers: int) -> None:
        super().__init__()
        products = in_features * num_classes
        randomised = products > LARGEST_PRODUCT
        self.register_buffer("matrix_f", torch.randn(in_features, RANDOM_PRODUCTS) if randomised else None)
        self.register_buffer("matrix_g", torch.randn(num_classes, RANDOM_PRODUCTS) if randomised else None)
        self.discriminator = DomainDiscriminator(
            RANDOM_PRODUCTS if randomised else products, hidden=hidden, layers=layers
        )

    def forward(
        self, features: Float[Tensor, "batch features"], predictions: Float[Tensor, "batch classes"]
    ) -> Float[Tensor, "batch"]:
        if self.matrix_f is None or self.matrix_g is None:
            joined = multilinear(features, predictions)
        else:
            joined = randomised_multilinear(features, predictions, self.matrix_f, self.matrix_g)
        logits: Tensor = self.discriminator(joined)
        return logits
