"""Problems from folders of images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from isthmus.data.problems import Domain, Problem
from isthmus.data.readers.defaults import default_input, inductive_recipe, typical_side
from isthmus.data.readers.folder_classes import check_folders, setting_of
from isthmus.data.readers.image_files import (
    MEMORY_BUDGET,
    OnBadImage,
    ReadImages,
    fits_in_memory,
    read_images,
    refuse_bad_images,
    summary,
)
from isthmus.data.readers.image_folder import ImageFolder, scan_folder
from isthmus.data.recipes import Recipe
from isthmus.data.splits import LabelledSamples
from isthmus.data.tasks import Classification, Labels, Setting
from isthmus.errors import DataError, OptionError
from isthmus.names import listed

HELD_OUT = 1 / 4
"""Share of each target class that is the exam of an inductive problem where none is given."""


def folder_problem(
    source: Path,
    target: Path,
    exam: Path | None = None,
    *,
    backbone: str | None = None,
    image_size: int | None = None,
    on_bad_image: OnBadImage = "fail",
    name: str | None = None,
    memory_budget: int = MEMORY_BUDGET,
) -> Problem:
    """A problem from a labelled source and a target; the target's class folders say of which setting.

    | class folders of the target | problem | exam, where none is given |
    | --- | --- | --- |
    | none | unsupervised | none |
    | the source's | unsupervised; they serve the exam only | the target's own images (transductive) |
    | none of the source's | inductive: the target's labels are trained on | a quarter of each class, held out |

    Some of the source's classes and some others are a mistake. What is held out is drawn from the files in order of
    their names, the same for every seed.

    Every image is decoded once before training; where all of them together fit `memory_budget`, they stay in memory.

    Args:
        source: a folder of images per class.
        target: a folder of images per class, or of images.
        exam: a folder of images per class, of the target's kind.
        backbone: name of the backbone; by the images' size if None, see `readers.defaults.default_input`.
        image_size: pixels that the network sees; by the images' size if None.
        on_bad_image: `fail` names the images that cannot be read, `skip` leaves them out and notes it.
        name: of the problem; "source-target" by the folders' names if None.
        memory_budget: bytes.

    Raises:
        DataError: a folder is missing, empty or of another layout, has one class only, has classes that do not go with
            the others', or shares images with a folder that it must not share them with; a target class has no image
            to hold out; or images that cannot be read.
        OptionError: an option out of range.
    """
    if on_bad_image not in ("fail", "skip"):
        raise OptionError(f"Expected `on_bad_image` to be `fail` or `skip`, but got `{on_bad_image}`.")
    folders = [scan_folder(Path(root)) for root in (source, target, *([exam] if exam is not None else []))]
    setting = setting_of(*folders[:2])
    overlap = check_folders(folders, setting)
    own_exam = exam is None or folders[1].root.resolve() == folders[2].root.resolve()
    folders = folders[:2] if own_exam else folders

    input, backbone = default_input(
        typical_side(*(folder.paths for folder in folders)), image_size=image_size, backbone=backbone
    )
    in_memory = fits_in_memory(sum(len(folder.paths) for folder in folders), input, memory_budget)
    names = _names(folders)
    read = [read_images(folder.paths, input, name=label, in_memory=in_memory) for folder, label in zip(folders, names)]
    if on_bad_image == "fail":
        refuse_bad_images([error for part in read for error in part.bad], sum(len(f.paths) for f in folders))
    notes = [
        f"left out of `{label}`: {summary(part.bad, len(folder.paths))}"
        for label, folder, part in zip(names, folders, read)
        if part.bad
    ]

    def labelled(place: int, classes: Sequence[str]) -> LabelledSamples:
        return LabelledSamples(read[place].samples, _labels(folders[place], read[place], classes))

    known, recipe = labelled(0, folders[0].classes), Recipe()
    if setting is Setting.INDUCTIVE:
        learnt = labelled(1, folders[1].classes)
        if own_exam:
            everything, (measured, learnt) = len(learnt.labels), _hold_out(learnt, folders[1])
            held_out = f"{len(measured.labels)} of {everything} images, the same for every seed"
            notes.append(f"held out of `{names[1]}` for the exam: {held_out}")
        else:
            measured = labelled(2, folders[1].classes)
        domain, examined = learnt.domain(names[1]), measured.exam(names[1])
        recipe = inductive_recipe(len(known.labels), len(learnt.labels))
    else:
        domain, examined = Domain(names[1], read[1].samples), None
        if folders[-1].classes:
            seen = own_exam or overlap
            examined = replace(labelled(-1, folders[0].classes).exam(names[1]), transductive=seen)
    return Problem(
        name=name or "-".join(names[:2]),
        domains=(known.domain(names[0]), domain),
        input=input,
        backbone=backbone,
        recipe=recipe,
        exam=examined,
        notes=tuple(notes),
    )


def _hold_out(target: LabelledSamples, folder: ImageFolder) -> tuple[LabelledSamples, LabelledSamples]:
    """The part of a labelled target that is its exam, and the part to train on."""
    counts = target.labels.values.bincount().tolist()
    single = [name for name, count in zip(folder.classes, counts) if count < 2]
    if single:
        raise DataError(
            f"Expected at least two readable images in every class folder of `{folder.root}`, one to train on and one "
            f"held out for the exam, but got one in {listed(single)}. Add images, or give an exam folder (`--exam`)."
        )
    return target.draw_share(HELD_OUT)


def _labels(folder: ImageFolder, read: ReadImages, classes: Sequence[str]) -> Labels:
    """The labels of the images that could be read, as indices into `classes`."""
    index = {name: place for place, name in enumerate(classes)}
    labels = torch.tensor([index[name] for name in folder.class_names])[read.kept]
    lost = sorted(set(folder.classes) - {classes[label] for label in labels.tolist()})
    if lost:
        raise DataError(
            f"Expected readable images in every class folder of `{folder.root}`, but got none in {listed(lost)}. "
            f"Replace them or remove the folder."
        )
    return Labels(Classification(tuple(classes)), labels)


def _names(folders: Sequence[ImageFolder]) -> list[str]:
    """The folders' names, with their parents' where they would be the same."""
    roots = [folder.root.resolve() for folder in folders]
    names = [root.name for root in roots]
    return [f"{root.parent.name}/{root.name}" if names.count(root.name) > 1 else root.name for root in roots]
