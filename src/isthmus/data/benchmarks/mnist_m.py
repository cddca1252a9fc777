"""MNIST-M: MNIST digits blended into colour photographs, 32×32 (Ganin et al., JMLR 2016)."""

from __future__ import annotations

from pathlib import Path

import torch

from isthmus.data.benchmarks.mnist import LabelledImages
from isthmus.data.benchmarks.places import first_existing, matching_folder, put_there
from isthmus.data.inputs import ImageInput
from isthmus.data.readers.image_files import read_every_image
from isthmus.errors import DataError


def mnist_m(root: Path, split: str, input: ImageInput, *, first: int | None = None) -> LabelledImages:
    """The `train` or `test` images as `input` stores them, in the order of the label file.

    Args:
        root: the data root, with `mnist_m/train/*.png` and `mnist_m/train_labels.txt`, a line "file label" for each
            (or the original release's `mnist_m_train` and `mnist_m_train_labels.txt`), and the same for `test`.
        split: `train` or `test`.
        input: what the images are stored for.
        first: only so many, from the start.

    Raises:
        DataError: the files are missing or corrupt.
    """
    folder = matching_folder(root, "mnist_m") or root / "mnist_m"
    place = first_existing(folder, (split, f"mnist_m_{split}"))
    listing = first_existing(folder, (f"{split}_labels.txt", f"mnist_m_{split}_labels.txt"))
    if place is None or listing is None:
        layout = f"`{split}/*.png` beside `{split}_labels.txt`, which has a line `file label` for each image"
        raise put_there(f"MNIST-M's {split} images", folder, layout, "its authors (http://yaroslav.ganin.net)")
    rows = [line.split() for line in listing.read_text().splitlines() if line.strip()][:first]
    wrong = [row for row in rows if len(row) != 2 or not row[1].isdigit() or int(row[1]) > 9]
    if wrong or not rows:
        found = " ".join(wrong[0]) if wrong else "an empty file"
        raise DataError(f"Expected lines `file digit` in `{listing}`, but got `{found}`. Get the file anew.")
    samples = read_every_image([place / name for name, _ in rows], input, name=f"mnist_m {split}")
    images = samples.read(torch.arange(len(samples)), torch.Generator())
    return LabelledImages(images, torch.tensor([int(label) for _, label in rows]))
