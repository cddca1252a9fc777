"""A network for pixel-wise tasks: an encoder, a decoder of three upsampling layers, and an output layer a task.

Source: Li et al., "Task-assisted domain adaptation with anchor tasks", section 4, on Lin et al., "Feature
pyramid networks for object detection", CVPR 2017.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad

from isthmus.checks import one_of
from isthmus.errors import OptionError
from isthmus.nn.pyramids import Pyramid, he_initialised

DEPTHS = ("layer-1", "layer-2", "layer-3", "layer-4", "up-1", "up-2", "up-3", "out")
"""Places in the network that freezing and discriminators refer to, from the images to the outputs."""

HIDDEN = 256
"""Width of each of the two hidden layers before a vector."""


@runtime_checkable
class Output(Protocol):
    """What a task asks of the network: a map of so many channels and, with a width above 0, a vector."""

    @property
    def name(self) -> str: ...
    @property
    def channels(self) -> int: ...
    @property
    def width(self) -> int: ...


@dataclass(frozen=True)
class Dense:
    """What the network gives for a batch of images.

    Attributes:
        maps: (batch, channels, height / 2, width / 2), rounded up, by task.
        vectors: (batch, width) by task.
        features: feature maps by depth, from `layer-1` to `up-3`.
    """

    maps: dict[str, Tensor]
    vectors: dict[str, Tensor]
    features: dict[str, Tensor]

    def split(self, first: int) -> tuple[Dense, Dense]:
        """What it gives for the first so many images, and for the others."""
        return self._rows(slice(first)), self._rows(slice(first, None))

    def _rows(self, rows: slice) -> Dense:
        parts = (self.maps, self.vectors, self.features)
        return Dense(*({name: value[rows] for name, value in part.items()} for part in parts))


class Up(nn.Module):
    """Upsampling to the size of an encoder's feature map, which is added, and a 3×3 convolution.

    The convolution of the skip connection belongs to the layer.
    """

    def __init__(self, skipped: int, width: int) -> None:
        super().__init__()
        self.skip = nn.Conv2d(skipped, width, 1)
        self.smooth = nn.Sequential(nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU())

    def forward(
        self, x: Float[Tensor, "batch width small_height small_width"], skipped: Float[Tensor, "batch channels h w"]
    ) -> Float[Tensor, "batch width h w"]:
        enlarged = interpolate(x, size=skipped.shape[2:], mode="nearest")
        smoothed: Tensor = self.smooth(enlarged + self.skip(skipped))
        return smoothed


class DenseNetwork(nn.Module):
    r"""Images to a map for each pixel-wise task at half their resolution, and to vectors.

    `layer-1` to `layer-4` are the encoder's stages, `up-1` to `up-3` the upsampling layers: $u_1$ from layer 4 and
    layer 3, $u_2$ from $u_1$ and layer 2, $u_3$ from $u_2$ and layer 1. `out` is a transposed convolution of $u_3$ for
    each map and, for each vector, two hidden layers after the global average of $u_2$.

    Args:
        encoder: its layers 1 to 4.
        outputs: what each task asks for.

    Attributes:
        encoder: as given.
        channels: of the feature maps, from `layer-1` to `up-3`.

    Raises:
        OptionError: no task.
    """

    def __init__(self, encoder: Pyramid, outputs: Sequence[Output]) -> None:
        super().__init__()
        if not outputs:
            raise OptionError("Expected at least one task, but got none. Name one, such as `SurfaceNormals()`.")
        width, factor = encoder.decoder, encoder.reduction // 2
        self.encoder = encoder
        self.channels = (*encoder.channels, width, width, width)
        self.lateral = nn.Conv2d(encoder.channels[3], width, 1)
        self.ups = nn.ModuleList([Up(skipped, width) for skipped in reversed(encoder.channels[:3])])
        self.maps = nn.ModuleDict({task.name: _enlarging(width, task.channels, factor) for task in outputs})
        self.vectors = nn.ModuleDict({task.name: _hidden(width, task.width) for task in outputs if task.width})
        for new in (self.lateral, self.ups, self.maps, self.vectors):
            he_initialised(new)

    def forward(self, images: Float[Tensor, "batch channels height width"]) -> Dense:
        stages: list[Tensor] = self.encoder(_padded(images, self.encoder.reduction))
        x = self.lateral(stages[3])
        ups: list[Tensor] = []
        for up, skipped in zip(self.ups, reversed(stages[:3])):
            x = up(x, skipped)
            ups.append(x)
        height, width = ((side + 1) // 2 for side in images.shape[2:])
        return Dense(
            maps={task: layer(ups[2])[:, :, :height, :width] for task, layer in self.maps.items()},
            vectors={task: layers(ups[1].mean(dim=(2, 3))) for task, layers in self.vectors.items()},
            features=dict(zip(DEPTHS, [*stages, *ups])),
        )

    def both(self, source: Tensor, target: Tensor) -> tuple[Dense, Dense]:
        """What it gives for a source and for a target batch, under the encoder's batch-norm policy."""
        if self.encoder.batch_norm == "joint":
            dense: Dense = self(torch.cat([source, target]))
            return dense.split(len(source))
        return self(source), self(target)

    def modules_at(self, depth: str) -> list[nn.Module]:
        """The modules that make up one depth; every parameter belongs to exactly one."""
        one_of(DEPTHS, depth=depth)
        if depth == "out":
            return [self.maps, self.vectors]
        place = DEPTHS.index(depth)
        if place < 4:
            return [self.encoder.stages[place]]
        return [self.lateral, self.ups[0]] if depth == "up-1" else [self.ups[place - 4]]

    def modules_after(self, depth: str) -> list[nn.Module]:
        """All modules that compute what comes after a depth, their skip connections' weights included.

        HeadFreeze freezes those after `up-2`: the third upsampling layer, the output layers and the vectors' layers.
        """
        one_of(DEPTHS, depth=depth)
        later = DEPTHS[DEPTHS.index(depth) + 1 :]
        return [module for place in later for module in self.modules_at(place)]


def _padded(images: Tensor, multiple: int) -> Tensor:
    """Sides that are multiples, as some encoders drop what does not fill a patch: the last pixels are repeated."""
    height, width = images.shape[2:]
    return pad(images, (0, -width % multiple, 0, -height % multiple), mode="replicate")


def _enlarging(inputs: int, outputs: int, factor: int) -> nn.Module:
    """A transposed convolution to exactly `factor` times the size."""
    return nn.ConvTranspose2d(inputs, outputs, factor + 2, factor, padding=1)


def _hidden(inputs: int, outputs: int) -> nn.Module:
    return nn.Sequential(
        nn.Linear(inputs, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, outputs)
    )
