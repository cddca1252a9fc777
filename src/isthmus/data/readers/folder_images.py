"""The images of several folders, read for one problem: one input, one backbone, and notes of what was left out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import torch

from isthmus.checks import one_of
from isthmus.data.inputs import ImageInput
from isthmus.data.readers.defaults import default_input, typical_side
from isthmus.data.readers.image_files import (
    ReadImages,
    fits_in_memory,
    read_images,
    refuse_bad_images,
    summary,
)
from isthmus.data.readers.image_folder import ImageFolder
from isthmus.data.samples import darkness
from isthmus.data.splits import LabelledSamples
from isthmus.data.tasks import Classification, Labels
from isthmus.errors import DataError
from isthmus.names import OnBadImage, listed

HELD_OUT = 1 / 4
"""Share of each class of a labelled domain that is its exam where none is given."""
REMEDY = (
    "Replace or remove them, or leave them out with `--on-bad-image skip` (`on_bad_image: skip` in a problem file)."
)


@dataclass(frozen=True)
class FolderImages:
    """What was read.

    Attributes:
        folders: where the images come from.
        names: of the folders, distinct.
        read: the images of each.
        input: how they become network inputs.
        backbone: name of the backbone.
        notes: what was left out, and what is nearly black.
    """

    folders: tuple[ImageFolder, ...]
    names: tuple[str, ...]
    read: tuple[ReadImages, ...]
    input: ImageInput
    backbone: str
    notes: tuple[str, ...]

    def labelled(self, place: int, classes: Sequence[str]) -> LabelledSamples:
        """The images of a folder with their labels as indices into `classes`.

        Raises:
            DataError: no image of a class could be read.
        """
        folder, read = self.folders[place], self.read[place]
        index = {name: number for number, name in enumerate(classes)}
        labels = torch.tensor([index[name] for name in folder.class_names])[read.kept]
        lost = sorted(set(folder.classes) - {classes[label] for label in labels.tolist()})
        if lost:
            raise DataError(
                f"Expected readable images in every class folder of `{folder.root}`, but got none in {listed(lost)}. "
                f"Replace them or remove the folder."
            )
        return LabelledSamples(read.samples, Labels(Classification(tuple(classes)), labels))

    def parted(self, place: int, *, remedy: str = "Add images.") -> tuple[LabelledSamples, LabelledSamples, str]:
        """A quarter of each class of a labelled folder for its exam, the rest to train on, and a note of it.

        Raises:
            DataError: a class has no two images; `remedy` is what to do about it.
        """
        folder, name = self.folders[place], self.names[place]
        everything = self.labelled(place, folder.classes)
        counts = everything.labels.values.bincount().tolist()
        single = [name for name, count in zip(folder.classes, counts) if count < 2]
        if single:
            raise DataError(
                f"Expected at least two readable images in every class folder of `{folder.root}`, one to train on and "
                f"one held out for the exam, but got one in {listed(single)}. {remedy}"
            )
        measured, learnt = everything.draw_share(HELD_OUT)
        held_out = f"{len(measured.labels)} of {len(everything.labels)} images, the same for every seed"
        return measured, learnt, f"held out of `{name}` for the exam: {held_out}"


def read_folders(
    folders: Sequence[ImageFolder],
    *,
    backbone: str | None,
    image_size: int | None,
    on_bad_image: OnBadImage,
    memory_budget: int,
) -> FolderImages:
    """Decode every image once, for an input and a backbone that suit all folders.

    Raises:
        DataError: images that cannot be read, unless they are to be left out.
        OptionError: an option out of range.
    """
    one_of(get_args(OnBadImage), on_bad_image=on_bad_image)
    side = typical_side(*(folder.paths for folder in folders))
    input, backbone = default_input(side, image_size=image_size, backbone=backbone)
    in_memory = fits_in_memory(sum(len(folder.paths) for folder in folders), input, memory_budget)
    names = folder_names([folder.root for folder in folders])
    read = [read_images(folder.paths, input, name=label, in_memory=in_memory) for folder, label in zip(folders, names)]
    if on_bad_image == "fail":
        bad, total = [error for part in read for error in part.bad], sum(len(folder.paths) for folder in folders)
        refuse_bad_images(bad, total, remedy=REMEDY)
    notes = [
        f"left out of `{label}`: {summary(part.bad, len(folder.paths))}"
        for label, folder, part in zip(names, folders, read)
        if part.bad
    ]
    notes += darkness({label: part.samples for label, part in zip(names, read)})
    return FolderImages(tuple(folders), tuple(names), tuple(read), input, backbone, tuple(notes))


def folder_names(places: Sequence[Path]) -> list[str]:
    """The names of folders, with their parents' where they would be the same."""
    roots = [place.resolve() for place in places]
    names = [root.name for root in roots]
    return [f"{root.parent.name}/{root.name}" if names.count(root.name) > 1 else root.name for root in roots]
