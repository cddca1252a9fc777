"""MNIST: 60000 training and 10000 test digits, 28×28 grey, white on black (LeCun et al., 1998)."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from isthmus.data.benchmarks.download import RemoteFile, fetch
from isthmus.data.benchmarks.places import first_existing
from isthmus.data.inputs import ImageInput
from isthmus.data.readers.arrays import stored_samples
from isthmus.data.splits import LabelledSamples
from isthmus.data.tasks import Classification, Labels
from isthmus.errors import DataError

ADDRESS = "https://ossci-datasets.s3.amazonaws.com/mnist/"
FILES = {
    "train": (
        RemoteFile(f"{ADDRESS}train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
        RemoteFile(f"{ADDRESS}train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432"),
    ),
    "test": (
        RemoteFile(f"{ADDRESS}t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3"),
        RemoteFile(f"{ADDRESS}t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c"),
    ),
}
DOWNLOADED_ANEW = "Delete it; it will be downloaded anew."


class LabelledImages(NamedTuple):
    """Images (n, channels, height, width) uint8 and their classes, (n,) int64."""

    images: Tensor
    labels: Tensor

    def stored(self, task: Classification, input: ImageInput, *, name: str) -> LabelledSamples:
        """The images as a problem with `input` stores them, with their labels for `task`; errors call them `name`."""
        return LabelledSamples(stored_samples(self.images, input, name=name), Labels(task, self.labels))


def mnist(root: Path, split: str) -> LabelledImages:
    """The `train` or `test` images, downloaded where they are neither in `mnist/` nor in torchvision's `MNIST/raw/`.

    Raises:
        DataError: the files cannot be downloaded, or are no idx files of one length.
    """
    images, labels = (_path(root, file) for file in FILES[split])
    return read_pair(images, labels)


def read_pair(images: Path, labels: Path, *, remedy: str = DOWNLOADED_ANEW) -> LabelledImages:
    """Grey images and their labels from two idx files.

    Args:
        images: the file of images.
        labels: the file of labels.
        remedy: what to do about files that are corrupt.

    Raises:
        DataError: a file is corrupt or of another format, or they are not of one length.
    """
    pixels, classes = read_idx(images, remedy=remedy), read_idx(labels, remedy=remedy)
    if pixels.ndim != 3 or classes.shape != pixels.shape[:1]:
        raise DataError(
            f"Expected images in `{images}` and as many labels in `{labels}`, but got shapes {pixels.shape} and "
            f"{classes.shape}. {remedy}"
        )
    return LabelledImages(torch.from_numpy(pixels)[:, None], torch.from_numpy(classes).long())


def read_idx(path: Path, *, remedy: str = DOWNLOADED_ANEW) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """The array of bytes in an idx file, gzipped or not.

    The format: two zero bytes, 8 for unsigned bytes, the number of dimensions, each dimension as four bytes, most
    significant first, then the values. `remedy` says what to do about a corrupt file.

    Raises:
        DataError: the file is corrupt or of another format.
    """
    try:
        content = path.read_bytes()
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"`{path}` cannot be read: {error}. {remedy}") from error
    start = 4 + 4 * content[3] if len(content) > 4 else 0
    if content[:3] != b"\0\0\x08" or len(content) < start:
        raise DataError(f"Expected an idx file of bytes at `{path}`, but got another format. {remedy}")
    shape = np.frombuffer(content[4:start], ">u4").astype(int)
    if len(content) - start != shape.prod():
        raise DataError(f"Expected {shape.prod()} values in `{path}`, but got {len(content) - start}. {remedy}")
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape).copy()


def _path(root: Path, file: RemoteFile) -> Path:
    raw = file.name.removesuffix(".gz")
    there = first_existing(root, [f"{folder}/{name}" for folder in ("mnist", "MNIST/raw") for name in (file.name, raw)])
    return there or fetch(file, root / "mnist")
