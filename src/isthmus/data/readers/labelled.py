"""Folders of images for a model that is trained already."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from isthmus.data.inputs import ImageInput
from isthmus.data.problems import Exam
from isthmus.data.readers.image_files import MEMORY_BUDGET, fits_in_memory, read_images, refuse_bad_images
from isthmus.data.readers.image_folder import find_images, scan_folder
from isthmus.data.samples import Samples
from isthmus.data.tasks import Classification, Labels
from isthmus.errors import DataError
from isthmus.names import listed


def exam_from_folder(root: Path, classes: Sequence[str], input: ImageInput) -> Exam:
    """An exam on a folder of images per class, whose classes are among the model's.

    Raises:
        DataError: no class folders, other classes, or images that cannot be read.
    """
    folder = scan_folder(root)
    unknown = sorted(set(folder.classes) - set(classes))
    if unknown or not folder.classes:
        found = listed(unknown) if unknown else f"{len(folder.paths)} images without class folders"
        raise DataError(f"Expected class folders in `{root}` among {listed(classes)}, but got {found}.")
    index = {name: place for place, name in enumerate(classes)}
    labels = Labels(Classification(tuple(classes)), torch.tensor([index[name] for name in folder.class_names]))
    return Exam(root.name, _read(folder.paths, input, root.name), labels)


def unlabelled_images(places: Sequence[Path], input: ImageInput) -> tuple[tuple[Path, ...], Samples]:
    """Image files, and all images below folders, in order, with their stored samples.

    Raises:
        DataError: a place does not exist or has no images, or images cannot be read.
    """
    paths = tuple(path for place in places for path in find_images(place))
    return paths, _read(paths, input, "images")


def _read(paths: Sequence[Path], input: ImageInput, name: str) -> Samples:
    in_memory = fits_in_memory(len(paths), input, MEMORY_BUDGET)
    read = read_images(paths, input, name=name, in_memory=in_memory)
    refuse_bad_images(read.bad, len(paths))
    return read.samples
