"""A multilayer perceptron for feature vectors."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

from isthmus.checks import at_least
from isthmus.nn.backbones.base import Backbone


class MLPBackbone(Backbone):
    """Fully connected layers with batch norm and ReLU: (batch, in_features) to (batch, hidden).

    Args:
        in_features: width of the vectors.
        hidden: width of every layer.
        layers: number of layers.
    """

    convolutional = False

    def __init__(self, in_features: int, *, hidden: int = 256, layers: int = 2) -> None:
        super().__init__()
        at_least(1, hidden=hidden, layers=layers)
        widths = [in_features] + [hidden] * layers
        self.layers = nn.Sequential(
            *[
                layer
                for inputs, outputs in zip(widths, widths[1:])
                for layer in (nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.ReLU())
            ]
        )
        self.out_features = self.hidden_features = hidden

    def stages(self) -> list[list[nn.Module]]:
        layers = list(self.layers)
        return [layers[start : start + 3] for start in range(0, len(layers), 3)]

    def encoder(self) -> nn.Sequential:
        return self.layers

    def forward(self, vectors: Float[Tensor, "batch in_features"]) -> Float[Tensor, "batch features"]:
        features: Tensor = self.layers(vectors)
        return features
