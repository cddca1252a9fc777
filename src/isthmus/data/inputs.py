"""From what is stored to what a network takes, in training and in evaluation.

Stored images all have one size (`resize` × `resize`, uint8), so that a batch is one gather and one cast; the random
crop and flip happen on the batch. The description is plain data: it is saved with a model, for prediction.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Union

import torch
from torch import Tensor

from isthmus.checks import at_least, positive
from isthmus.data.samples import Samples
from isthmus.errors import DataError, ModelFileError, OptionError

if TYPE_CHECKING:
    from PIL.Image import Image

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class ImageInput:
    """Images of any size and mode, squeezed to a square of `resize` pixels, of which the network sees `size`.

    Attributes:
        channels: 1 (grey) or 3 (RGB).
        size: side of the network's input, in pixels.
        resize: side of the stored image; a random crop of it is seen in training, the centre in evaluation.
        mean: subtracted from values in [0, 1], per channel.
        std: divided by, per channel.
        flip: whether training mirrors images left to right at random.
        ten_crop: whether evaluation takes the mean prediction of ten crops, corners and centre and their mirror images,
            instead of the centre's.
    """

    channels: int = 3
    size: int = 224
    resize: int = 256
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    flip: bool = True
    ten_crop: bool = False

    def __post_init__(self) -> None:
        if self.channels not in (1, 3):
            raise OptionError(f"Expected `channels` to be 1 or 3, but got {self.channels}.")
        at_least(1, size=self.size)
        if self.size > self.resize:
            raise OptionError(f"Expected `size` of at most `resize`, {self.resize}, but got {self.size}.")
        if self.ten_crop and self.size == self.resize:
            raise OptionError(
                f"Ten crops need images that are stored larger than the network sees them, but both have a side of "
                f"{self.size} pixels. Leave `ten_crop` out, or store them larger: `ImageInput(..., resize=N)`."
            )
        for name in ("mean", "std"):
            if len(values := getattr(self, name)) != self.channels:
                raise OptionError(f"Expected `{name}` of {self.channels} numbers, one a channel, but got {values}.")
        for mean, deviation in zip(self.mean, self.std):
            at_least(-math.inf, mean=mean)
            positive(std=deviation)

    @classmethod
    def plain(cls, channels: int, size: int) -> ImageInput:
        """No augmentation, values from −1 to 1: the papers' digit protocol."""
        return cls(channels, size, size, (0.5,) * channels, (0.5,) * channels, flip=False)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one input, (channels, size, size)."""
        return (self.channels, self.size, self.size)

    @property
    def stored_shape(self) -> tuple[int, ...]:
        """Shape of one stored image, (channels, resize, resize)."""
        return (self.channels, self.resize, self.resize)

    def store(self, image: Image) -> Tensor:
        """A decoded image as (channels, resize, resize) uint8."""
        import numpy as np
        from PIL.Image import Resampling

        image = image.convert("L" if self.channels == 1 else "RGB")
        if image.size != (self.resize, self.resize):
            image = image.resize((self.resize, self.resize), Resampling.BILINEAR)
        pixels = torch.from_numpy(np.array(image))
        return pixels[None] if self.channels == 1 else pixels.permute(2, 0, 1).contiguous()

    def train(self, stored: Tensor, generator: torch.Generator) -> Tensor:
        """A stored batch as network inputs, cropped and mirrored at random: (batch, channels, size, size) float32."""
        margin = self.resize - self.size
        if margin:
            corners = torch.randint(margin + 1, (len(stored), 2), generator=generator).tolist()
            stored = torch.stack(
                [image[:, y : y + self.size, x : x + self.size] for image, (y, x) in zip(stored, corners)]
            )
        if self.flip:
            mirrored = torch.rand(len(stored), generator=generator) < 0.5
            stored = torch.where(mirrored[:, None, None, None], stored.flip(-1), stored)
        return self._normalise(stored)

    def evaluate(self, stored: Tensor) -> Tensor:
        """A stored batch as network inputs, its centre: (batch, channels, size, size) float32."""
        start = (self.resize - self.size) // 2
        return self._normalise(stored[..., start : start + self.size, start : start + self.size])

    def views(self, stored: Tensor) -> tuple[Tensor, ...]:
        """All that evaluation sees of a stored batch: its centre, or ten crops, each as network inputs."""
        if not self.ten_crop:
            return (self.evaluate(stored),)
        from torchvision.transforms.functional import ten_crop

        return tuple(self._normalise(crop) for crop in ten_crop(stored, [self.size, self.size]))

    def picture(self, stored: Tensor) -> Tensor:
        """A stored batch as pictures to look at, (batch, height, width, 3) uint8."""
        return stored.expand(-1, 3, -1, -1).permute(0, 2, 3, 1)

    def _normalise(self, images: Tensor) -> Tensor:
        mean, std = (torch.tensor(values).view(-1, 1, 1) * 255 for values in (self.mean, self.std))
        return images.float().sub_(mean).div_(std)


@dataclass(frozen=True)
class VectorInput:
    """Feature vectors, standardised by the labelled source.

    Attributes:
        features: width of a vector.
        mean: subtracted, per feature.
        std: divided by, per feature.
    """

    features: int
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)

    def __post_init__(self) -> None:
        at_least(1, features=self.features)
        for name in ("mean", "std"):
            if (length := len(getattr(self, name))) not in (1, self.features):
                raise OptionError(f"Expected `{name}` of {self.features} numbers, one a feature, but got {length}.")
        for mean, deviation in zip(self.mean, self.std):
            at_least(-math.inf, mean=mean)
            positive(std=deviation)

    @classmethod
    def standardising(cls, vectors: Tensor) -> VectorInput:
        """Mean 0 and deviation 1 on `vectors`, (n, features); a constant feature is only centred."""
        std, mean = torch.std_mean(vectors.double(), dim=0, correction=0)
        std = torch.where(std > 0, std, torch.ones_like(std))
        return cls(vectors.shape[1], tuple(mean.tolist()), tuple(std.tolist()))

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one input, (features,)."""
        return (self.features,)

    @property
    def stored_shape(self) -> tuple[int, ...]:
        """Shape of one stored vector, (features,)."""
        return (self.features,)

    def train(self, stored: Tensor, generator: torch.Generator) -> Tensor:
        """Standardised vectors, (batch, features) float32. Nothing is random."""
        return self.evaluate(stored)

    def evaluate(self, stored: Tensor) -> Tensor:
        """Standardised vectors, (batch, features) float32."""
        return (stored.float() - torch.tensor(self.mean)) / torch.tensor(self.std)

    def views(self, stored: Tensor) -> tuple[Tensor, ...]:
        """All that evaluation sees of a stored batch: one view."""
        return (self.evaluate(stored),)


Input = Union[ImageInput, VectorInput]


def describe(input: Input) -> dict[str, Any]:
    """`input` as plain data, for a model's description."""
    return {"kind": "image" if isinstance(input, ImageInput) else "vector", **asdict(input)}


def from_description(description: dict[str, Any]) -> Input:
    """The inverse of `describe`.

    Raises:
        ModelFileError: the description is of another kind or incomplete.
    """
    kinds: dict[str, Callable[..., Input]] = {"image": ImageInput, "vector": VectorInput}
    try:
        fields = {key: tuple(v) if isinstance(v, list) else v for key, v in description.items() if key != "kind"}
        return kinds[description["kind"]](**fields)
    except (AttributeError, KeyError, TypeError, OptionError) as error:
        raise ModelFileError(f"The model's `input` is not one that this version knows: {error}") from error


def check_stored(name: str, samples: Samples, input: Input) -> None:
    """Refuse samples that are not stored in the shape that `input` takes, by the first of them.

    Raises:
        DataError: with their name, their shape and the expected one.
    """
    shape = tuple(samples.read(torch.zeros(1, dtype=torch.long), torch.Generator()).shape[1:])
    if shape != input.stored_shape:
        raise DataError(f"`{name}`: expected samples of shape {input.stored_shape}, but got {shape}.")
