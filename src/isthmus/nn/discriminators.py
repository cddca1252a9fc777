"""Domain discriminators."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from isthmus.checks import at_least


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
