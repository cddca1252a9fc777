"""The image size, the backbone and the recipe that a person would expect, from the samples themselves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median

from isthmus.data.inputs import ImageInput
from isthmus.data.recipes import Recipe
from isthmus.errors import OptionError
from isthmus.names import Name

SMALL, MEDIUM = 40, 128
"""Largest side, in pixels, of small and of medium images."""
SMALLEST = 16
"""Smaller images are enlarged to this side: the small networks need it."""
SMALL_NETWORKS = ("digits", "svhn", "signs")
PROBED = 256
"""Images of a domain whose size is looked at."""


def default_input(
    side: int, *, channels: int = 3, image_size: int | None = None, backbone: str | None = None
) -> tuple[ImageInput, str]:
    """How images of `side` pixels are stored and seen, and the backbone for them.

    | side | network sees | augmentation | backbone |
    | --- | --- | --- | --- |
    | up to 40 | the side itself, at least 16 | none | `digits` |
    | up to 128 | 64 | random crop from 72, flip | `resnet18:pretrained=false` |
    | larger | 224 | random crop from 256, flip | `resnet50` |

    `image_size` replaces the side, and is what the network sees. A backbone of the caller's choice is kept, and decides
    the size where `image_size` does not: one of the small networks takes at most 40 pixels, a pretrained one 224.

    >>> default_input(96)[1]
    'resnet18:pretrained=false'
    >>> default_input(96, backbone="resnet50")[0].size
    224

    Raises:
        OptionError: an image size below 1.
    """
    if image_size is not None and image_size < 1:
        raise OptionError(f"Expected `image_size` of at least 1 pixel, but got {image_size}.")
    size = image_size or _size(side, backbone)
    if backbone is None:
        backbone = "digits" if size <= SMALL else "resnet18:pretrained=false" if size <= MEDIUM else "resnet50"
    if size <= SMALL:
        return ImageInput.plain(channels, size), backbone
    resize = 8 * round(size / 7)  # 224 from 256, as the field does, and so in proportion
    if channels == 1:
        return ImageInput(1, size, resize, (0.5,), (0.5,)), backbone
    return ImageInput(3, size, resize), backbone


def default_recipe(source: int, target: int) -> Recipe:
    """The usual recipe for so many samples of a source and a target.

    A batch is no larger than the smaller domain, and an epoch passes over the larger one once: by a fixed number of
    steps, unless both have as many batches.

    >>> recipe = default_recipe(source=1000, target=20)
    >>> recipe.batch_size, recipe.steps_per_epoch
    (20, 50)
    """
    batch_size = default_batch_size(source, target)
    fewer, more = sorted((source // batch_size, target // batch_size))
    return Recipe(batch_size=batch_size, steps_per_epoch=more if more > fewer else None)


def default_batch_size(*samples: int, usual: int = Recipe().batch_size) -> int:
    """The usual number, or that of the smallest domain's samples.

    >>> default_batch_size(1000, 20), default_batch_size(1000, 400)
    (20, 32)
    """
    return max(2, min(usual, *samples))


def typical_side(*domains: Sequence[Path]) -> int:
    """Median of the images' shorter sides, in pixels, of the domain whose images are larger.

    Only headers are read, of at most 256 files of each domain, evenly spaced. Files without a readable header are
    passed over: reading the images will name them.
    """
    return round(max(median(_sides(paths) or [MEDIUM + 1]) for paths in domains))


def _size(side: int, backbone: str | None) -> int:
    if backbone is not None:
        name = Name.parse(backbone)
        if name.base in SMALL_NETWORKS:
            return min(max(side, SMALLEST), SMALL)
        if name.options.get("pretrained", "true").lower() not in ("false", "no", "off"):
            return 224
    return max(side, SMALLEST) if side <= SMALL else 64 if side <= MEDIUM else 224


def _sides(paths: Sequence[Path]) -> list[int]:
    from PIL import Image

    sides = []
    for path in paths[:: -(-len(paths) // PROBED)]:
        try:
            with Image.open(path) as image:
                sides.append(min(image.size))
        except Exception:  # noqa: PERF203  # see `decode.open_image`, which reports the file
            continue
    return sides
