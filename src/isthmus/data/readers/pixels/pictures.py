"""Images with labels of pixels, from wherever they come, to stored samples and labels of one size."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile, gettempdir
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
from isthmus.data.samples import ArraySamples
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

    def files(self) -> frozenset[Path]:
        """The images' true places, behind all symbolic links, to compare with another domain's."""
        return frozenset(Path(name).resolve() for name in self.names)

    def read(self, index: int, input: ImageInput) -> tuple[Tensor, dict[PixelTask, Tensor]]:
        """The stored image at an index, and its labels at the same size.

        Raises:
            DataError: labels of other proportions than the image's.
        """
        image, labels = self.image(index), {task: read(index) for task, read in self.labels.items()}
        for task, values in labels.items():
            self._check_proportions(task, values, image, index)
        if self.crop_margin is not None:
            box = self._box(labels, index, self.crop_margin)
            image, labels = image.crop(box), {task: cut(task, values, box) for task, values in labels.items()}
        fitting = {task: resized(task, values, image.size, input.resize) for task, values in labels.items()}
        return input.store(image), fitting

    def _box(self, labels: Mapping[PixelTask, Tensor], index: int, margin: float) -> Box:
        points = next(values for task, values in labels.items() if isinstance(task, Keypoints))
        if not bool(points.isfinite().all(dim=1).any()):
            raise DataError(f"`{self.names[index]}`: expected keypoints to cut the image around, but got none.")
        return box_around(points, margin)

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


def read_pictures(
    pictures: Pictures, input: ImageInput, *, name: str, in_memory: bool = True
) -> tuple[ArraySamples, PixelLabels]:
    """Decode every image and label file once, with a progress bar.

    Args:
        pictures: what to read.
        input: what the images are stored for.
        name: of the domain, for messages.
        in_memory: whether they are kept in memory, or in a temporary file that is mapped into it and vanishes with the
            process.

    Raises:
        DataError: a file that is missing, damaged or of other content than is said of it.
    """
    count = len(pictures)
    images = _room(count, input.stored_shape, torch.uint8, in_memory)
    values = {task: _room(count, *_form(task, input), in_memory) for task in pictures.tasks}

    def decode(index: int) -> DataError | None:
        try:
            image, labels = pictures.read(index, input)
        except DataError as error:
            return error
        images[index] = image
        for task, own in labels.items():
            values[task][index] = own
        return None

    _refuse(name, [error for error in in_threads(decode, count, f"Reading {name}") if error])
    return ArraySamples(images, name=name, names=pictures.names), PixelLabels(values)


def stored_bytes(pictures: Pictures, input: ImageInput) -> int:
    """How much the stored images and their labels take."""
    forms = [(input.stored_shape, torch.uint8), *(_form(task, input) for task in pictures.tasks)]
    return len(pictures) * sum(math.prod(shape) * dtype.itemsize for shape, dtype in forms)


def _form(task: PixelTask, input: ImageInput) -> tuple[tuple[int, ...], torch.dtype]:
    """Shape and type of one sample's labels."""
    shape = tuple(input.resize if length is None else length for length in task.shape)
    return shape, torch.long if isinstance(task, Segmentation) else torch.float32


def _room(count: int, shape: tuple[int, ...], dtype: torch.dtype, in_memory: bool) -> Tensor:
    if in_memory:
        return torch.empty((count, *shape), dtype=dtype)
    size = count * math.prod(shape)
    with NamedTemporaryFile(prefix="isthmus-") as file:  # the mapping outlives the file's name
        _reserve(file.fileno(), size * dtype.itemsize)
        return torch.from_file(file.name, shared=True, size=size, dtype=dtype).view(count, *shape)


def _reserve(file: int, size: int) -> None:
    """Take the room now, where the system can: a disk that is full later would end the process without a word."""
    if not hasattr(os, "posix_fallocate"):
        return
    try:
        os.posix_fallocate(file, 0, size)
    except OSError as error:
        raise DataError(
            f"Expected {size / 2**30:.1f} GiB for images and labels in `{gettempdir()}`, but got: {error.strerror}. "
            f"Let `TMPDIR` name a folder on a larger disk, or use a smaller `--image-size`."
        ) from error


def _refuse(name: str, errors: Sequence[DataError]) -> None:
    if errors:
        more = f" {len(errors) - 1} more samples have such mistakes." if len(errors) > 1 else ""
        raise DataError(f"Domain `{name}`: {errors[0]}{more}")


def _size(labels: Tensor) -> str:
    return f"{labels.shape[-1]}×{labels.shape[-2]}"
