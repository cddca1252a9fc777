"""Many image files to stored samples: decoded by a pool of threads, kept in memory where they fit."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor

from isthmus.data.inputs import ImageInput
from isthmus.data.readers.decode import UnreadableImageError, open_image
from isthmus.data.samples import ArraySamples, MappedSamples, Samples
from isthmus.errors import DataError
from isthmus.progress import track

T = TypeVar("T")
MEMORY_BUDGET = 2 * 1024**3
"""Bytes of stored images that are kept in memory by default."""
THREADS = min(8, os.cpu_count() or 1)
"""That decode files at once."""
SHOWN = 5
"""Bad files that a message names."""


@dataclass(frozen=True)
class ImageFiles:
    """The stored image of each file, decoded when it is asked for, without its lowest `banner` rows."""

    paths: tuple[Path, ...]
    input: ImageInput
    banner: int = 0

    def __call__(self, index: int) -> Tensor:
        image = open_image(self.paths[index])
        return self.input.store(image.crop((0, 0, image.width, image.height - self.banner)) if self.banner else image)


@dataclass(frozen=True)
class ReadImages:
    """What came of reading a list of files.

    Attributes:
        samples: of the files that could be read, in order.
        kept: indices of these files in the list, (n,).
        bad: an error for each of the others.
    """

    samples: Samples
    kept: Tensor
    bad: tuple[UnreadableImageError, ...]


def read_images(
    paths: Sequence[Path], input: ImageInput, *, name: str, in_memory: bool = True, banner: int = 0
) -> ReadImages:
    """Decode every file once, with a progress bar, so that no bad file is met in the middle of training.

    Args:
        paths: of the files.
        input: what the images are stored for.
        name: what the progress bar calls them.
        in_memory: whether to keep them, (n, channels, resize, resize) uint8, or to decode them anew at each read.
        banner: rows at the bottom of each file's image that are no part of the picture and are cut off.

    Raises:
        DataError: not one of the files can be read.
    """
    load = ImageFiles(tuple(paths), input, banner)
    values = torch.empty((len(paths) if in_memory else 0, *input.stored_shape), dtype=torch.uint8)

    def decode(index: int) -> UnreadableImageError | None:
        try:
            image = load(index)
        except UnreadableImageError as error:
            return error
        if in_memory:
            values[index] = image
        return None

    errors = in_threads(decode, len(paths), f"Reading {name}")
    bad = tuple(error for error in errors if error is not None)
    kept = torch.tensor([index for index, error in enumerate(errors) if error is None], dtype=torch.long)
    if not len(kept):
        raise DataError(f"Expected images in {name}, but {summary(bad, len(paths))}. Replace the files.")
    good = tuple(paths[index] for index in kept.tolist())
    names = tuple(str(path) for path in good)
    samples: Samples = (
        ArraySamples(values[kept] if bad else values, name=name, names=names)
        if in_memory
        else MappedSamples(len(good), ImageFiles(good, input, banner), names=names, threads=THREADS)
    )
    return ReadImages(samples, kept, bad)


def in_threads(work: Callable[[int], T], count: int, title: str) -> list[T]:
    """What `work` gives for each number below `count`, in order, by a pool of threads and with a progress bar."""
    with ThreadPoolExecutor(THREADS) as pool:
        return list(track(pool.map(work, range(count)), title, count))


def fits_in_memory(images: int, input: ImageInput, budget: int) -> bool:
    """Whether so many stored images take at most `budget` bytes."""
    return images * input.channels * input.resize**2 <= budget


def read_every_image(
    paths: Sequence[Path], input: ImageInput, *, name: str, in_memory: bool | None = None, banner: int = 0
) -> Samples:
    """`read_images` of files that must all be readable.

    Args:
        paths: of the files.
        input: what the images are stored for.
        name: what the progress bar calls them.
        in_memory: whether to keep them; by default where they fit `MEMORY_BUDGET`.
        banner: rows at the bottom that are cut off.

    Raises:
        DataError: naming the first of those that cannot be read, and their number.
    """
    if in_memory is None:
        in_memory = fits_in_memory(len(paths), input, MEMORY_BUDGET)
    read = read_images(paths, input, name=name, in_memory=in_memory, banner=banner)
    refuse_bad_images(read.bad, len(paths))
    return read.samples


def refuse_bad_images(bad: Sequence[UnreadableImageError], total: int, *, remedy: str = "Replace them.") -> None:
    """Refuse files that cannot be read.

    Raises:
        DataError: naming the first of them and their number, and the remedy.
    """
    if bad:
        raise DataError(f"Expected {total} readable images, but {summary(bad, total)}. {remedy}")


def summary(bad: Sequence[UnreadableImageError], total: int) -> str:
    """How many cannot be read, and the first of them with their reasons."""
    first = "; ".join(f"`{error.path}` ({error.reason})" for error in bad[:SHOWN])
    more = f"; and {len(bad) - SHOWN} more" if len(bad) > SHOWN else ""
    return f"{len(bad)} of {total} cannot be read: {first}{more}"
