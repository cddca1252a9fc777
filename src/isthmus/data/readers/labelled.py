"""Folders of images for a model that is trained already."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from isthmus.data.inputs import ImageInput
from isthmus.data.problems import Exam
from isthmus.data.readers.image_files import (
    MEMORY_BUDGET,
    ReadImages,
    fits_in_memory,
    read_images,
    refuse_bad_images,
)
from isthmus.data.readers.image_folder import find_images, scan_folder
from isthmus.data.samples import Samples
from isthmus.data.tasks import Classification, Labels
from isthmus.errors import DataError
from isthmus.names import OnBadImage, listed
from isthmus.progress import console

REMEDY = "Replace or remove them, or leave them out with `--on-bad-image skip`."


def exam_from_folder(
    root: Path, classes: Sequence[str], input: ImageInput, *, on_bad_image: OnBadImage = "fail"
) -> Exam:
    """An exam on a folder of images per class, whose classes are among the model's.

    Args:
        root: the folder.
        classes: the model's.
        input: the model's.
        on_bad_image: `fail` names the images that cannot be read, `skip` leaves them out and says so.

    Raises:
        DataError: no class folders, other classes, or images that cannot be read.
    """
    folder = scan_folder(root)
    unknown = sorted(set(folder.classes) - set(classes))
    if unknown or not folder.classes:
        found = listed(unknown) if unknown else f"{len(folder.paths)} images without class folders"
        raise DataError(f"Expected class folders in `{root}` among {listed(classes)}, but got {found}.")
    index = {name: place for place, name in enumerate(classes)}
    labels = torch.tensor([index[name] for name in folder.class_names])
    read = _read(folder.paths, input, root.name, on_bad_image)
    return Exam(root.name, read.samples, Labels(Classification(tuple(classes)), labels[read.kept]))


def unlabelled_images(
    places: Sequence[Path], input: ImageInput, *, on_bad_image: OnBadImage = "fail"
) -> tuple[tuple[Path, ...], Samples]:
    """Image files, and all images below folders, in order, with their stored samples.

    Args:
        places: files and folders.
        input: the model's.
        on_bad_image: `fail` names the images that cannot be read, `skip` leaves them out and says so.

    Raises:
        DataError: a place does not exist or has no images, or images cannot be read.
    """
    paths = tuple(path for place in places for path in find_images(place))
    read = _read(paths, input, "images", on_bad_image)
    return tuple(paths[place] for place in read.kept.tolist()), read.samples


def _read(paths: Sequence[Path], input: ImageInput, name: str, on_bad_image: OnBadImage) -> ReadImages:
    read = read_images(paths, input, name=name, in_memory=fits_in_memory(len(paths), input, MEMORY_BUDGET))
    if on_bad_image == "fail":
        refuse_bad_images(read.bad, len(paths), remedy=REMEDY)
    for error in read.bad:
        note = f"Left out: `{error.path}`, which cannot be read ({error.reason})."
        console().print(note, markup=False, highlight=False, soft_wrap=True)
    return read
