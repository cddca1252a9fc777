"""Stored samples, read by index: the one interface between readers and loaders."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import torch
from torch import Tensor
from torch.utils.data import get_worker_info

from isthmus.errors import DataError

DARK = 32
"""Images without any value from here on are nearly black."""


class Samples(Protocol):
    """A finite collection of stored images (uint8) or vectors (float32), all of one shape."""

    def __len__(self) -> int: ...

    def read(self, indices: Tensor, generator: torch.Generator) -> Tensor:
        """The samples at `indices` (n,), as (n, *shape); `generator` feeds collections that are drawn anew."""
        ...


def in_order(samples: Samples, indices: Tensor | None = None, *, size: int = 256) -> Iterator[tuple[Tensor, Tensor]]:
    """All samples (or those at `indices`), `size` at a time with their indices, drawn the same way every time."""
    indices = torch.arange(len(samples)) if indices is None else indices
    generator = torch.Generator().manual_seed(0)
    for part in indices.split(size):
        yield part, samples.read(part, generator)


class ArraySamples:
    """Samples in memory.

    Args:
        values: (n, channels, height, width) uint8 images or (n, features) vectors.
        name: what an error message calls them.
        names: what each sample is called, such as the path of its file; none for their numbers.

    Raises:
        DataError: another shape or type, no samples, or values that are not finite.
    """

    def __init__(self, values: Tensor, *, name: str = "samples", names: Sequence[str] = ()) -> None:
        if values.ndim not in (2, 4):
            raise DataError(
                f"`{name}`: expected images (n, channels, height, width) or vectors (n, features), "
                f"but got shape {tuple(values.shape)}."
            )
        if len(values) == 0:
            raise DataError(f"`{name}`: expected at least one sample, but got none.")
        if values.is_floating_point() and not bool(values.isfinite().all()):
            rows = (~values.flatten(1).isfinite().all(dim=1)).nonzero().flatten()
            raise DataError(
                f"`{name}`: expected finite numbers, but got NaN or infinity in {len(rows)} of {len(values)} samples "
                f"(first: {int(rows[0])}). Remove or impute them."
            )
        if values.ndim == 4 and values.dtype != torch.uint8:
            raise DataError(f"`{name}`: expected images as uint8 from 0 to 255, but got {values.dtype}.")
        self.values = values
        self.names = tuple(names)

    def __len__(self) -> int:
        return len(self.values)

    def read(self, indices: Tensor, generator: torch.Generator) -> Tensor:
        return self.values[indices]


def darkness(images: Mapping[str, Samples]) -> tuple[str, ...]:
    """A note for each collection of images in memory that are nearly black: of a small range, most likely.

    >>> darkness({"scans": ArraySamples(torch.full((2, 1, 4, 4), 13, dtype=torch.uint8))})
    ('images of `scans` are nearly black (largest value 13 of 255): scale them to the full range',)
    """
    brightest = {
        name: int(samples.values.max())
        for name, samples in images.items()
        if isinstance(samples, ArraySamples) and samples.values.dtype == torch.uint8
    }
    return tuple(
        f"images of `{name}` are nearly black (largest value {value} of 255): scale them to the full range"
        for name, value in brightest.items()
        if value < DARK
    )


class Subset:
    """Some of another collection's samples."""

    def __init__(self, samples: Samples, indices: Tensor) -> None:
        self.samples = samples
        self.indices = indices

    def __len__(self) -> int:
        return len(self.indices)

    def read(self, indices: Tensor, generator: torch.Generator) -> Tensor:
        return self.samples.read(self.indices[indices], generator)


class MappedSamples:
    """Samples computed one by one: files that do not fit into memory, or a map-style data set.

    Args:
        length: how many there are.
        load: the stored sample at an index.
        names: what each sample is called, such as the path of its file; none for their numbers.
        threads: how many read at once, for which `load` must be safe; one in a process that reads ahead.
    """

    def __init__(
        self, length: int, load: Callable[[int], Tensor], *, names: Sequence[str] = (), threads: int = 1
    ) -> None:
        self.length = length
        self.load = load
        self.names = tuple(names)
        self.threads = threads

    def __len__(self) -> int:
        return self.length

    def read(self, indices: Tensor, generator: torch.Generator) -> Tensor:
        places = indices.tolist()
        if self.threads == 1 or get_worker_info() is not None:
            return torch.stack([self.load(place) for place in places])
        with ThreadPoolExecutor(self.threads) as pool:
            return torch.stack(list(pool.map(self.load, places)))


class ColourJitter:
    """Images with colours of their own at every read: each channel brighter or darker, all of them lighter or paler.

    Nothing moves, so that labels of pixels stay true.

    Args:
        images: RGB, stored as uint8.
        channel: largest change of a channel, as a share.
        contrast: largest change of the contrast, as a share.
    """

    def __init__(self, images: Samples, *, channel: float = 0.15, contrast: float = 0.2) -> None:
        self.images = images
        self.channel = channel
        self.contrast = contrast

    def __len__(self) -> int:
        return len(self.images)

    def read(self, indices: Tensor, generator: torch.Generator) -> Tensor:
        images = self.images.read(indices, generator).float()
        change = 2 * torch.rand(len(images), 4, 1, 1, generator=generator) - 1
        gains = (1 + self.channel * change[:, :3]) * (1 + self.contrast * change[:, 3:])
        middle = images.mean(dim=(1, 2, 3), keepdim=True)
        return ((images - middle) * gains + middle * (1 + self.channel * change[:, :3])).clamp(0, 255).round().byte()
