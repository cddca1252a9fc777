"""AlexNet, as torchvision has it: the network of JTLN's experiments."""

from __future__ import annotations

from itertools import islice
from urllib.error import URLError

from jaxtyping import Float
from torch import Tensor, nn

from isthmus.errors import OptionError
from isthmus.nn.backbones.base import Backbone

SMALLEST = 63
"""Side in pixels below which nothing is left to the last pooling layer."""
DEPTHS = (3, 3, 2, 5)
"""Layers of torchvision's `features` that belong to conv1, conv2, conv3, and to conv4 with conv5."""


class AlexNetBackbone(Backbone):
    """Five convolutions and two hidden layers, fc6 and fc7: 4096 features.

    Its stages are conv1, conv2, conv3, conv4 with conv5, and fc6 with fc7. Source: Krizhevsky, "One weird trick for
    parallelizing convolutional neural networks".

    Args:
        channels: of the images; 3.
        size: side of the images, in pixels; at least 63.
        pretrained: whether to load torchvision's ImageNet weights, downloading them where they are not cached.
    """

    def __init__(self, channels: int = 3, size: int = 224, *, pretrained: bool = True) -> None:
        super().__init__()
        if channels != 3 or size < SMALLEST:
            raise OptionError(
                f"Backbone `alexnet` needs images of 3 channels and at least {SMALLEST}×{SMALLEST} pixels, but got "
                f"{channels} of {size}×{size}. Enlarge them with `--image-size`, or choose another backbone."
            )
        from torchvision.models import AlexNet_Weights, alexnet

        try:
            model = alexnet(weights=AlexNet_Weights.DEFAULT if pretrained else None)
        except (URLError, OSError, RuntimeError) as error:
            raise OptionError(
                f"Backbone `alexnet`: its pretrained weights could not be loaded ({error}). Connect this machine to "
                f"download.pytorch.org once, so that torch can cache them, or train from scratch with "
                f"`alexnet:pretrained=false`."
            ) from error
        self.convolutions = model.features
        self.pool = model.avgpool
        self.hidden = model.classifier[:-1]
        self.pretrained = pretrained
        self.out_features = self.hidden_features = 4096

    def stages(self) -> list[list[nn.Module]]:
        layers = iter(self.convolutions)
        return [*(list(islice(layers, depth)) for depth in DEPTHS), [self.hidden]]

    def forward(self, images: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch features"]:
        features: Tensor = self.hidden(self.pool(self.convolutions(images)).flatten(1))
        return features
