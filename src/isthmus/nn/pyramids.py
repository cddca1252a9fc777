"""Encoders of images that give four feature maps, each of half the resolution of the one before."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from torch import Tensor, nn

from isthmus.checks import at_least
from isthmus.errors import OptionError
from isthmus.names import BatchNormPolicy, Name, build
from isthmus.nn.batch_norm import batch_norms

LEVELS = 4
"""Feature maps of a pyramid: the layers of a ResNet."""


class Pyramid(nn.Module):
    """Four stages, one after the other.

    Args:
        stages: what computes each feature map from the one before, the first from images.
        channels: of each feature map.
        reduction: pixels of the image, across, in one of the first feature map.
        pretrained: whether the weights come from another data set.
        decoder: channels of the decoder that suits it.

    Attributes:
        stages: as given, with `channels`, `reduction`, `pretrained` and `decoder`.
        batch_norm: how batch statistics are taken over two domains.
    """

    batch_norm: BatchNormPolicy = "separate"

    def __init__(
        self,
        stages: Sequence[nn.Module],
        channels: Sequence[int],
        reduction: int,
        *,
        pretrained: bool = False,
        decoder: int = 256,
    ) -> None:
        super().__init__()
        at_least(1, decoder=decoder)
        self.stages = nn.ModuleList(stages)
        self.channels = tuple(channels)
        self.reduction = reduction
        self.pretrained = pretrained
        self.decoder = decoder

    def forward(self, images: Tensor) -> list[Tensor]:
        maps: list[Tensor] = []
        for stage in self.stages:
            maps.append(stage(maps[-1] if maps else images))
        return maps

    def train(self, mode: bool = True) -> Pyramid:
        """As for any module, but a frozen batch norm stays in evaluation mode."""
        super().train(mode)
        if self.batch_norm == "frozen":
            for layer in batch_norms(self):
                layer.eval()
        return self


class Residual(nn.Module):
    """Two 3×3 convolutions and what they are added to, at half the resolution where `stride` is 2."""

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.shortcut = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.layers(x) + self.shortcut(x)
        return y.relu()


def small_pyramid(channels: int = 3, *, width: int = 24, decoder: int = 48) -> Pyramid:
    """A slim ResNet for images of about 64×64 pixels, trained from scratch, on a CPU as well.

    A convolution and a residual block a stage; feature maps at half to a sixteenth of the resolution.

    Args:
        channels: of the images.
        width: channels of the first feature map, at least 8; the others have two, four and six times as many.
        decoder: channels of the decoder.
    """
    at_least(1, channels=channels)
    at_least(8, width=width)  # torch 2.14 corrupts memory in a strided 1×1 convolution of 4 channels laid out last
    widths = [width, 2 * width, 4 * width, 6 * width]
    stem = nn.Sequential(
        nn.Conv2d(channels, width, 3, 2, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        Residual(width, width),
    )
    pyramid = Pyramid([stem, *(Residual(a, b, 2) for a, b in zip(widths, widths[1:]))], widths, 2, decoder=decoder)
    he_initialised(pyramid)
    return pyramid


def build_pyramid(name: str, shape: tuple[int, ...], *, batch_norm: BatchNormPolicy = "separate") -> Pyramid:
    """The encoder called `name` for images of `shape`, (channels, height, width).

    `name` is `pyramid` or a convolutional timm model, with options after a colon (`pyramid:width=16`,
    `resnet50:pretrained=false`). timm models come with pretrained weights unless told otherwise.

    Args:
        name: of the encoder.
        shape: of one input.
        batch_norm: how batch statistics are taken over two domains.

    Raises:
        OptionError: an unknown name or option, inputs that are no images, or weights out of reach.
    """
    parsed = Name.parse(name)
    if len(shape) != 3:
        raise OptionError(f"Encoder `{parsed.base}` is for images, but the inputs have shape {shape}.")
    if parsed.base == "pyramid":
        pyramid = build(small_pyramid, parsed, shape[0])
    else:
        pyramid = build(timm_pyramid, parsed, parsed.base, shape[0])
    pyramid.batch_norm = batch_norm
    return pyramid


def timm_pyramid(name: str, channels: int = 3, *, pretrained: bool = True) -> Pyramid:
    """The last four stages' outputs of a timm model, such as `resnet50` (256 to 2048 channels, a 4th to a 32nd).

    Args:
        name: the model's name in timm (`timm.list_models()`).
        channels: of the images.
        pretrained: whether to load timm's default weights, downloading them where they are not cached.

    Raises:
        OptionError: timm cannot build the model, or it is no sequence of stages that halve the resolution.
    """
    import timm  # slow to import, and needed here only

    options: dict[str, Any] = {"features_only": True, "in_chans": channels, "pretrained": pretrained}
    try:
        model: Any = timm.create_model(name, **options)
    except Exception as error:  # each architecture has a complaint of its own
        raise OptionError(
            f"Encoder `{name}`: timm cannot build it with feature maps ({error}). "
            f"Use a convolutional model such as `resnet50`, and `pretrained=false` where no weights can be downloaded."
        ) from error
    levels = [_Level(*level) for level in zip(model.feature_info.channels(), model.feature_info.reduction())][-LEVELS:]
    ends = list(getattr(model, "return_layers", {}))[-LEVELS:]
    halving = all(after.reduction == 2 * before.reduction for before, after in zip(levels, levels[1:]))
    if len(ends) < LEVELS or not halving:
        raise OptionError(
            f"Expected an encoder of {LEVELS} stages in sequence that halve the resolution, but `{name}` is none. "
            f"Use a model such as `resnet50`, `convnext_tiny` or `regnety_016`."
        )
    stages: list[nn.Sequential] = [nn.Sequential()]
    for child, module in model.named_children():
        stages[-1].add_module(child, module)
        if child in ends[:-1]:
            stages.append(nn.Sequential())
    return Pyramid(stages, [level.channels for level in levels], levels[0].reduction, pretrained=pretrained)


def he_initialised(module: nn.Module) -> None:
    r"""Weights of convolutions and linear layers from $N(0, 2 / \text{fan in})$, biases zero (He et al., ICCV 2015)."""
    for layer in module.modules():
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
            if isinstance(layer, nn.ConvTranspose2d):  # an output sees a part of the kernel, one in stride²
                fan_in = layer.in_channels * math.prod(layer.kernel_size) / math.prod(layer.stride)
                nn.init.normal_(layer.weight, std=math.sqrt(2 / fan_in))
            else:
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


class _Level(NamedTuple):
    channels: int
    reduction: int
