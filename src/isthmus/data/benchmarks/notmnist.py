"""notMNIST: the letters A to J in many typefaces, 28×28 grey, white on black, in MNIST's format (Bulatov, 2011)."""

from __future__ import annotations

from pathlib import Path

from isthmus.data.benchmarks.mnist import LabelledImages, read_pair
from isthmus.data.benchmarks.places import first_existing, put_there
from isthmus.data.tasks import Classification

LETTERS = Classification(tuple("ABCDEFGHIJ"))
PREFIXES = {"train": "train", "test": "t10k"}


def notmnist(root: Path, split: str) -> LabelledImages:
    """The `train` or `test` images, (n, 1, 28, 28), from the idx files in `notmnist/`; label 0 is A.

    Raises:
        DataError: the files are missing or corrupt.
    """
    images, labels = (_path(root, split, kind) for kind in ("images-idx3", "labels-idx1"))
    if images is None or labels is None:
        prefix = f"notmnist/{PREFIXES[split]}"
        layout = f"`{prefix}-images-idx3-ubyte.gz` and `{prefix}-labels-idx1-ubyte.gz`"
        source = "https://github.com/davidflanagan/notMNIST-to-MNIST"
        raise put_there(f"notMNIST's {split} images and labels", root / "notmnist", layout, source)
    return read_pair(images, labels, remedy="Get the files anew.")


def has_split(root: Path, split: str) -> bool:
    """Whether the images of a split are there."""
    return _path(root, split, "images-idx3") is not None


def _path(root: Path, split: str, kind: str) -> Path | None:
    name = f"{PREFIXES[split]}-{kind}-ubyte"
    return first_existing(
        root, [f"{folder}/{name}{suffix}" for folder in ("notmnist", "notMNIST") for suffix in (".gz", "")]
    )
