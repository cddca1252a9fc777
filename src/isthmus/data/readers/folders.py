"""Problems from folders of images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from isthmus.data.problems import Domain, Exam, Problem
from isthmus.data.readers.defaults import default_input, typical_side
from isthmus.data.readers.image_files import (
    MEMORY_BUDGET,
    OnBadImage,
    ReadImages,
    fits_in_memory,
    read_images,
    refuse_bad_images,
    summary,
)
from isthmus.data.readers.image_folder import ImageFolder, listed, scan_folder
from isthmus.data.tasks import Classification, Labels
from isthmus.errors import DataError, OptionError


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
    """An unsupervised problem: a labelled source, a target without labels.

    Class folders of the target serve the exam only: without `exam`, the target's own images are the exam
    (transductive). A flat target has no exam unless one is given.

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
        DataError: a folder is missing, empty or of another layout, has one class only, has other classes than the
            source, or shares images with a folder that it must not share them with; or images that cannot be read.
        OptionError: an option out of range.
    """
    if on_bad_image not in ("fail", "skip"):
        raise OptionError(f"Expected `on_bad_image` to be `fail` or `skip`, but got `{on_bad_image}`.")
    roots = [Path(root) for root in (source, target, *([exam] if exam is not None else []))]
    folders = [scan_folder(root) for root in roots]
    task = _check_classes(folders)
    own_exam = exam is None or roots[1].resolve() == roots[2].resolve()
    folders = folders[:2] if own_exam else folders
    overlap = _check_shared_images(folders)

    input, backbone = default_input(
        typical_side(*(folder.paths for folder in folders)), image_size=image_size, backbone=backbone
    )
    in_memory = fits_in_memory(sum(len(folder.paths) for folder in folders), input, memory_budget)
    names = _names(folders)
    read = [read_images(folder.paths, input, name=label, in_memory=in_memory) for folder, label in zip(folders, names)]
    if on_bad_image == "fail":
        refuse_bad_images([error for part in read for error in part.bad], sum(len(f.paths) for f in folders))
    samples = [part.samples for part in read]
    labels = [_labels(folder, part, task) for folder, part in zip(folders, read)]
    measured = labels[-1]
    return Problem(
        name=name or "-".join(names[:2]),
        domains=(Domain(names[0], samples[0], labels[0]), Domain(names[1], samples[1])),
        input=input,
        backbone=backbone,
        exam=Exam(names[1], samples[-1], measured, transductive=own_exam or overlap) if measured else None,
        notes=tuple(
            f"left out of `{label}`: {summary(part.bad, len(folder.paths))}"
            for label, folder, part in zip(names, folders, read)
            if part.bad
        ),
    )


def _check_classes(folders: Sequence[ImageFolder]) -> Classification:
    """The source's classes; the target's must equal them, the exam's must be among them."""
    source, target = folders[:2]
    for folder in (source, *folders[2:]):
        if not folder.classes:
            raise DataError(
                f"Expected class folders in `{folder.root}`, but got {len(folder.paths)} images without any. "
                f"Put each image into a folder named after its class."
            )
    if len(source.classes) < 2:
        raise DataError(
            f"Expected at least two class folders in `{source.root}`, but got only `{source.classes[0]}`. "
            f"Add a folder of images per class."
        )
    only_source = sorted(set(source.classes) - set(target.classes)) if target.classes else []
    only_target = sorted(set(target.classes) - set(source.classes))
    if only_source or only_target:
        raise DataError(
            f"Expected the same class folders in `{source.root}` and `{target.root}`, as unsupervised methods need the "
            f"same classes in both domains, but got {len(only_source)} only in the source ({listed(only_source)}) and "
            f"{len(only_target)} only in the target ({listed(only_target)}). Rename or remove these folders; a target "
            f"without labels needs no class folders."
        )
    for folder in folders[2:]:
        unknown = sorted(set(folder.classes) - set(source.classes))
        if unknown:
            raise DataError(
                f"Expected the classes of `{folder.root}` among the source's ({listed(source.classes)}), but got also "
                f"{listed(unknown)}. Rename or remove these folders."
            )
    return Classification(source.classes)


def _check_shared_images(folders: Sequence[ImageFolder]) -> bool:
    """Whether exam and target share images, which makes the exam transductive; the source may share none."""
    source, *others = (folder.files() for folder in folders)
    for folder, files in zip(folders[1:], others):
        shared = sorted(source & files)
        if shared:
            raise DataError(
                f"Expected other images in `{folder.root}` than in the source `{folders[0].root}`, but got "
                f"{len(shared)} files of both (first: `{shared[0]}`). Give folders that do not overlap."
            )
    return len(others) > 1 and bool(others[0] & others[1])


def _labels(folder: ImageFolder, read: ReadImages, task: Classification) -> Labels | None:
    if not folder.classes:
        return None
    index = {name: place for place, name in enumerate(task.classes)}
    labels = torch.tensor([index[name] for name in folder.class_names])[read.kept]
    lost = sorted(set(folder.classes) - {task.classes[label] for label in labels.tolist()})
    if lost:
        raise DataError(
            f"Expected readable images in every class folder of `{folder.root}`, but got none in {listed(lost)}. "
            f"Replace them or remove the folder."
        )
    return Labels(task, labels)


def _names(folders: Sequence[ImageFolder]) -> list[str]:
    """The folders' names, with their parents' where they would be the same."""
    roots = [folder.root.resolve() for folder in folders]
    names = [root.name for root in roots]
    return [f"{root.parent.name}/{root.name}" if names.count(root.name) > 1 else root.name for root in roots]
