"""Images with labels of pixels, from wherever they come, to stored samples and labels of one size."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from isthmus.data.inputs import ImageInput
from isthmus.data.pixelwise import Keypoints, PixelLabels, PixelTask, Segmentation
from isthmus.data.readers.decode import open_image
from isthmus.data.readers.image_files import in_threads
from isthmus.data.readers.pixels.encodings import Encoding
from isthmus.data.readers.pixels.fitting import Box, box_around, cut, resized
from isthmus.data.readers.pixels.label_files import read_array
from isthmus.data.samples import ArraySamples, MappedSamples, Samples
from isthmus.errors import DataError
from isthmus.functional.pixelwise import IGNORED

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True)
class ImagePaths:
    """The image in each of some files."""

    paths: tuple[Path, ...]

    def __call__(self, index: int) -> Image:
        return open_image(self.paths[index]).convert("RGB")


@dataclass(frozen=True)
class LabelPaths:
    """The labels in each of some files.

    Attributes:
        paths: of the files.
        encoding: what their numbers mean.
        masks: images that are zero where there are no labels; empty for none.
    """

    paths: tuple[Path, ...]
    encoding: Encoding
    masks: tuple[Path, ...] = ()

    def __call__(self, index: int) -> Tensor:
        path = self.paths[index]
        try:
            labels = self.encoding.decode(read_array(path))
        except DataError as error:
            raise error if str(path) in str(error) else DataError(f"`{path}`: {error}") from error
        return self._masked(labels, self.masks[index]) if self.masks else labels

    def _masked(self, labels: Tensor, path: Path) -> Tensor:
        mask = torch.from_numpy(read_array(path) != 0)
        mask = mask.any(dim=2) if mask.ndim == 3 else mask
        if mask.shape != labels.shape[-2:]:
            raise DataError(f"`{path}`: expected a mask of {_size(labels)} pixels, but got {_size(mask)}.")
        return torch.where(mask, labels, torch.nan if labels.is_floating_point() else IGNORED)


@dataclass(frozen=True)
class Pictures:
    """Images and their labels at sizes of their own, read when they are asked for.

    Attributes:
        names: what messages and results call each of them.
        image: the RGB image at an index.
        labels: labels of each task at an index, at the size of the image or a smaller or larger one of its proportions.
        crop_margin: where it is given, images and labels are cut to the square around the image's keypoints, widened by
            this share of its side on every side.
    """

    names: tuple[str, ...]
    image: Callable[[int], Image]
    labels: Mapping[PixelTask, Callable[[int], Tensor]]
    crop_margin: float | None = None

    def __len__(self) -> int:
        return len(self.names)

    @property
    def tasks(self) -> tuple[PixelTask, ...]:
        """The tasks that they have labels of."""
        return tuple(self.labels)

    def stored(self, index: int, input: ImageInput) -> Tensor:
        """The stored image at an index."""
        image = self.image(index)
        return input.store(image if self.crop_margin is None else image.crop(self._box(index)))

    def read(self, index: int, input: ImageInput) -> tuple[Tensor, dict[PixelTask, Tensor]]:
        """The stored image at an index, and its labels at the same size.

        Raises:
            DataError: labels of other proportions than the image's.
        """
        image, box, labels = self.image(index), None, {}
        if self.crop_margin is not None:
            box = self._box(index)
        for task, read in self.labels.items():
            values = read(index)
            self._check_proportions(task, values, image, index)
            side = image.size if box is None else (box[2] - box[0], box[3] - box[1])
            labels[task] = resized(task, values if box is None else cut(task, values, box), side, input.resize)
        return input.store(image.crop(box) if box else image), labels

    def _box(self, index: int) -> Box:
        assert self.crop_margin is not None  # as the callers have made sure
        points = next(read for task, read in self.labels.items() if isinstance(task, Keypoints))(index)
        if not bool(points.isfinite().all(dim=1).any()):
            raise DataError(f"`{self.names[index]}`: expected keypoints to cut the image around, but got none.")
        return box_around(points, self.crop_margin)

    def _check_proportions(self, task: PixelTask, labels: Tensor, image: Image, index: int) -> None:
        if isinstance(task, Keypoints):
            return
        height, width = labels.shape[-2:]
        alike = abs(width * image.height - height * image.width) <= max(image.size)  # a pixel, for sides that are odd
        if not alike or (self.crop_margin is not None and (width, height) != image.size):
            wanted = "the size" if self.crop_margin is not None else "the proportions"
            raise DataError(
                f"`{self.names[index]}`: expected labels of `{task.name}` of {wanted} of the image, "
                f"{image.width}×{image.height} pixels, but got {_size(labels)}."
            )


@dataclass(frozen=True)
class StoredPictures:
    """The stored image at an index, decoded when it is asked for."""

    pictures: Pictures
    input: ImageInput

    def __call__(self, index: int) -> Tensor:
        return self.pictures.stored(index, self.input)


def read_pictures(
    pictures: Pictures, input: ImageInput, *, name: str, in_memory: bool = True
) -> tuple[Samples, PixelLabels]:
    """Decode every image and label file once, with a progress bar.

    Args:
        pictures: what to read.
        input: what the images are stored for.
        name: of the domain, for messages.
        in_memory: whether to keep the images, or to decode them anew at each read. Labels are kept.

    Raises:
        DataError: a file that is missing, damaged or of other content than is said of it.
    """
    count, side = len(pictures), input.resize
    images = torch.empty((count if in_memory else 0, *input.stored_shape), dtype=torch.uint8)
    values = {task: _empty(task, count, side) for task in pictures.tasks}

    def decode(index: int) -> DataError | None:
        try:
            image, labels = pictures.read(index, input)
        except DataError as error:
            return error
        if in_memory:
            images[index] = image
        for task, own in labels.items():
            values[task][index] = own
        return None

    _refuse(name, [error for error in in_threads(decode, count, f"Reading {name}") if error])
    samples: Samples = (
        ArraySamples(images, name=name, names=pictures.names)
        if in_memory
        else MappedSamples(count, StoredPictures(pictures, input), names=pictures.names)
    )
    return samples, PixelLabels(values)


def _refuse(name: str, errors: Sequence[DataError]) -> None:
    if errors:
        more = f" {len(errors) - 1} more samples have such mistakes." if len(errors) > 1 else ""
        raise DataError(f"Domain `{name}`: {errors[0]}{more}")


def _empty(task: PixelTask, count: int, side: int) -> Tensor:
    shape = [side if length is None else length for length in task.shape]
    return torch.empty((count, *shape), dtype=torch.long if isinstance(task, Segmentation) else torch.float32)


def _size(labels: Tensor) -> str:
    return f"{labels.shape[-1]}×{labels.shape[-2]}"
