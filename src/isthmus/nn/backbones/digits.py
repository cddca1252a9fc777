"""The small convolutional networks of the papers' digit and sign experiments, trained from scratch."""

from __future__ import annotations

from itertools import islice

from jaxtyping import Float
from torch import Tensor, nn

from isthmus.checks import at_least, below
from isthmus.errors import OptionError
from isthmus.nn.backbones.base import Backbone


def _convolution(inputs: int, outputs: int, kernel: int, padding: int, pool: nn.Module) -> list[nn.Module]:
    # Rectifying after pooling is the same function, maximum and rectifier commute, on a quarter of the values.
    return [nn.Conv2d(inputs, outputs, kernel, padding=padding), nn.BatchNorm2d(outputs), pool, nn.ReLU()]


def _hidden(inputs: int, outputs: int) -> list[nn.Module]:
    return [nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.ReLU()]


class ConvolutionalBackbone(Backbone):
    """Convolutions, then flattened features; `dropout` is that of the neck."""

    def __init__(
        self, blocks: list[list[nn.Module]], out_features: int, hidden_features: int, *, dropout: float
    ) -> None:
        super().__init__()
        at_least(0, dropout=dropout)
        below(1, dropout=dropout)
        self.dropout = dropout
        self.layers = nn.Sequential(*[layer for block in blocks for layer in block], nn.Flatten())
        self.out_features = out_features
        self.hidden_features = hidden_features
        self.block_sizes = [len(block) for block in blocks]

    def stages(self) -> list[list[nn.Module]]:
        layers = iter(self.layers)
        return [list(islice(layers, size)) for size in self.block_sizes]

    def encoder(self) -> nn.Sequential:
        return self.layers

    def forward(self, images: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch features"]:
        features: Tensor = self.layers(images)
        return features


class DigitsBackbone(ConvolutionalBackbone):
    """MNIST ↔ USPS: conv5 32, conv5 48, each with batch norm, ReLU and 2×2 pooling; 768 features from 28×28 pixels.

    The neck is 768-100-100 with batch norm and dropout before each layer; `hidden` is for another width than 100.
    Source: Ganin et al. (the architecture), MCD and DFA (batch norm).
    """

    def __init__(self, channels: int = 1, size: int = 28, *, dropout: float = 0.5, hidden: int = 100) -> None:
        at_least(1, hidden=hidden)
        side = ((size - 4) // 2 - 4) // 2
        if side < 1:
            raise OptionError(
                f"Backbone `digits` needs images of at least 16×16 pixels, but got {size}×{size}. Enlarge them."
            )
        super().__init__(
            [
                _convolution(channels, 32, 5, 0, nn.MaxPool2d(2)),
                _convolution(32, 48, 5, 0, nn.MaxPool2d(2)),
            ],
            out_features=48 * side * side,
            hidden_features=hidden,
            dropout=dropout,
        )

    def neck(self) -> nn.Sequential:
        return nn.Sequential(
            nn.Dropout(self.dropout),
            *_hidden(self.out_features, self.hidden_features),
            nn.Dropout(self.dropout),
            *_hidden(self.hidden_features, self.hidden_features),
            nn.Dropout(self.dropout),
        )


class SVHNBackbone(ConvolutionalBackbone):
    """SVHN → MNIST: conv5 64, 64, 128 with 3×3 pooling at stride 2; 8192 features from 32×32 pixels.

    The neck is 8192-3072-2048. Source: MCD and DFA.
    """

    def __init__(self, channels: int = 3, size: int = 32, *, dropout: float = 0.5) -> None:
        half = (size - 1) // 2 + 1
        side = (half - 1) // 2 + 1
        super().__init__(
            [
                _convolution(channels, 64, 5, 2, nn.MaxPool2d(3, stride=2, padding=1)),
                _convolution(64, 64, 5, 2, nn.MaxPool2d(3, stride=2, padding=1)),
                [nn.Conv2d(64, 128, 5, padding=2), nn.BatchNorm2d(128), nn.ReLU()],
            ],
            out_features=128 * side * side,
            hidden_features=2048,
            dropout=dropout,
        )

    def neck(self) -> nn.Sequential:
        return nn.Sequential(*_hidden(self.out_features, 3072), nn.Dropout(self.dropout), *_hidden(3072, 2048))


class SignsBackbone(ConvolutionalBackbone):
    """SYN SIGNS → GTSRB: conv5 96, conv3 144, conv5 256 with 2×2 pooling; 6400 features from 40×40 pixels.

    The neck is 6400-512. Source: MCD and DFA.
    """

    def __init__(self, channels: int = 3, size: int = 40, *, dropout: float = 0.5) -> None:
        side = size // 8
        if side < 1:
            raise OptionError(
                f"Backbone `signs` needs images of at least 8×8 pixels, but got {size}×{size}. Enlarge them."
            )
        super().__init__(
            [
                _convolution(channels, 96, 5, 2, nn.MaxPool2d(2)),
                _convolution(96, 144, 3, 1, nn.MaxPool2d(2)),
                _convolution(144, 256, 5, 2, nn.MaxPool2d(2)),
            ],
            out_features=256 * side * side,
            hidden_features=512,
            dropout=dropout,
        )

    def neck(self) -> nn.Sequential:
        return nn.Sequential(*_hidden(self.out_features, 512), nn.Dropout(self.dropout))
