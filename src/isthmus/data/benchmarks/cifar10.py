"""CIFAR-10: photographs of ten kinds of animals and vehicles, 32×32 (Krizhevsky, 2009)."""

from __future__ import annotations

from pathlib import Path

import torch

from isthmus.data.benchmarks.mnist import LabelledImages
from isthmus.data.benchmarks.places import first_existing, put_there
from isthmus.data.inputs import ImageInput
from isthmus.data.readers.image_files import read_every_image
from isthmus.data.readers.image_folder import scan_folder
from isthmus.data.tasks import Classification
from isthmus.errors import DataError
from isthmus.names import listed

OBJECTS = Classification(("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"))
PICKLES = "cifar-10-batches-py"


def cifar10(root: Path, split: str) -> LabelledImages:
    """The `train` or `test` images, (n, 3, 32, 32).

    Read from class folders, `cifar10/train/CLASS/` and `cifar10/test/CLASS/`, whose images may be some of all, or else
    from the official Python files in `cifar-10-batches-py/`, in `cifar10/` or the root.

    Raises:
        DataError: the files are missing or corrupt, or the classes are others.
    """
    folder = root / "cifar10" / split
    if folder.is_dir():
        return _read_folder(folder)
    pickles = first_existing(root, (f"cifar10/{PICKLES}", PICKLES))
    if pickles is None:
        layout = f"`cifar10/{split}/CLASS/IMAGE.jpg`, or unpack the Python version into `cifar10/{PICKLES}/`"
        raise put_there(f"CIFAR-10's {split} images", folder, layout, "https://www.cs.toronto.edu/~kriz/cifar.html")
    return _read_pickles(pickles, split)


def _read_folder(folder: Path) -> LabelledImages:
    found = scan_folder(folder)
    if found.classes != OBJECTS.classes:
        raise DataError(
            f"Expected the class folders {listed(OBJECTS.classes)} in `{folder}`, but got {listed(found.classes)}. "
            f"Rename them."
        )
    samples = read_every_image(found.paths, ImageInput.plain(3, 32), name=f"cifar10 {folder.name}")
    images = samples.read(torch.arange(len(samples)), torch.Generator())
    return LabelledImages(images, torch.tensor(found.labels))


def _read_pickles(folder: Path, split: str) -> LabelledImages:
    """By torchvision, which checks the files' MD5 sums before it reads them: a pickle can run anything."""
    from torchvision.datasets import CIFAR10

    try:
        data = CIFAR10(folder.parent, train=split == "train")
    except RuntimeError as error:
        raise DataError(
            f"Expected the official files of CIFAR-10 in `{folder}`, but got: {error}. Get them anew."
        ) from error
    return LabelledImages(torch.from_numpy(data.data).permute(0, 3, 1, 2).contiguous(), torch.tensor(data.targets))
