"""FGVC-Aircraft: 10000 photographs of 100 aircraft variants of 30 manufacturers (Maji et al., 2013).

As in JTLN (Table 1), the variants of one manufacturer are the target's classes, those of all others the source's.
"""

from __future__ import annotations

import tarfile
import zlib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import torch

from isthmus.data.problems import Problem
from isthmus.data.readers.defaults import default_input
from isthmus.data.readers.image_files import read_every_image
from isthmus.data.readers.labels import class_labels
from isthmus.data.recipes import Recipe
from isthmus.data.splits import LabelledSamples, MeasuredOn, split_name
from isthmus.errors import DataError

FOLDER = "fgvc-aircraft-2013b"
ADDRESS = "https://www.robots.ox.ac.uk/~vgg/data/fgvc-aircraft/"
MANUFACTURERS = {"boeing": "Boeing", "airbus": "Airbus"}
BANNER = 20
"""Rows at the bottom of every photograph that name its author; the data set's authors ask to remove them."""
RECIPE = Recipe(epochs=30, steps_per_epoch=100, batch_size=32)


class Photograph(NamedTuple):
    """Where a photograph is, the part of the data set that it is in, and the aircraft that it shows."""

    path: Path
    split: str
    variant: str
    manufacturer: str


def aircraft(variant: str, data_root: Path, *, measured_on: MeasuredOn = "exam") -> Problem:
    """All photographs of the other manufacturers' variants to the training and validation photographs of one's.

    Args:
        variant: the target's manufacturer, `boeing` or `airbus`.
        data_root: holds the photographs; they are downloaded where they are not there.
        measured_on: the test set; or the validation set, which then is not trained on, for choosing settings without
            looking at the exam.

    Raises:
        DataError: files that are missing, cannot be downloaded or are corrupt.
    """
    found = photographs(data_root)
    input, backbone = default_input(224, image_size=224)
    samples = read_every_image([photo.path for photo in found], input, name="aircraft", banner=BANNER)
    every = LabelledSamples(samples, class_labels([photo.variant for photo in found]))
    manufacturers = {photo.variant: photo.manufacturer for photo in found}
    own = sorted(name for name, maker in manufacturers.items() if maker == MANUFACTURERS[variant])

    def of_target(*splits: str) -> LabelledSamples:
        rows = [row for row, photo in enumerate(found) if photo.split in splits]
        return every.rows(torch.tensor(rows)).of_classes(own)

    trained_on, measured = (("train", "val"), "test") if measured_on == "exam" else (("train",), "val")
    return Problem(
        name=split_name(f"fgvc-aircraft:{variant}", measured_on),
        domains=(
            every.of_classes(sorted(set(manufacturers) - set(own))).domain("others"),
            of_target(*trained_on).domain(variant),
        ),
        input=input,
        backbone=backbone,
        recipe=RECIPE,
        exams=(of_target(measured).exam(variant),),
    )


def photographs(data_root: Path) -> list[Photograph]:
    """All photographs, by torchvision's reader of their lists; none is decoded.

    Raises:
        DataError: files that are missing, cannot be downloaded or are corrupt.
    """
    from torchvision.datasets import FGVCAircraft

    root = next((root for root in (data_root / "fgvc-aircraft", data_root) if (root / FOLDER).is_dir()), None)
    root = root or _download(data_root)
    found = []
    try:
        for split in ("train", "val", "test"):
            # with this loader an item's image is the path of its file
            variants, makers = (FGVCAircraft(root, split, level, loader=Path) for level in ("variant", "manufacturer"))
            maker_of = {path: makers.classes[maker] for path, maker in makers}
            found += [Photograph(path, split, variants.classes[name], maker_of[path]) for path, name in variants]
    except (OSError, KeyError, ValueError) as error:
        raise DataError(
            f"Expected FGVC-Aircraft's official files in `{root / FOLDER}`, but got: {error!r}. "
            f"Delete the folder; it will be downloaded anew."
        ) from error
    return found


def _download(root: Path) -> Path:
    """By torchvision, beside the final place and moved there when complete, so that no half data set stays."""
    from torchvision.datasets import FGVCAircraft

    try:
        root.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=root) as partial:
            FGVCAircraft(partial, download=True)
            Path(partial, FOLDER).replace(root / FOLDER)
    except (OSError, RuntimeError, EOFError, tarfile.TarError, zlib.error) as error:
        raise DataError(
            f"Could not download FGVC-Aircraft to `{root / FOLDER}` ({error}). Connect to the internet, or download "
            f"it elsewhere from {ADDRESS}, unpack it and put it at `{root / FOLDER}`, or give another `--data-root`."
        ) from error
    return root
