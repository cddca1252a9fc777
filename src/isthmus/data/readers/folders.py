"""Problems from folders of images."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from isthmus.data.problems import Domain, Problem
from isthmus.data.readers.defaults import default_recipe
from isthmus.data.readers.folder_classes import check_folders, setting_of
from isthmus.data.readers.folder_images import folder_names, read_folders
from isthmus.data.readers.image_files import MEMORY_BUDGET
from isthmus.data.readers.image_folder import scan_folder
from isthmus.data.tasks import Setting
from isthmus.names import OnBadImage


def folder_problem(
    source: str | Path,
    target: str | Path,
    exam: str | Path | None = None,
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

    A batch is no larger than the smaller domain, and an epoch passes over the larger one once. Every image is decoded
    once before training; where all of them together fit `memory_budget`, they stay in memory.

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
    folders = [scan_folder(Path(root)) for root in (source, target, *([exam] if exam is not None else []))]
    setting = setting_of(*folders[:2])
    overlap = check_folders(folders, setting)
    folders = folders[: len(_places(source, target, exam))]
    own_exam = len(folders) == 2

    images = read_folders(
        folders, backbone=backbone, image_size=image_size, on_bad_image=on_bad_image, memory_budget=memory_budget
    )
    names, notes = images.names, images.notes
    known = images.labelled(0, folders[0].classes)
    if setting is Setting.INDUCTIVE:
        if own_exam:
            remedy = "Add images, or give an exam folder (`--exam`)."
            measured, learnt, note = images.parted(1, remedy=remedy)
            notes = (*notes, note)
        else:
            measured, learnt = (images.labelled(place, folders[1].classes) for place in (2, 1))
        domain, examined = learnt.domain(names[1]), measured.exam(names[1])
    else:
        domain, examined = Domain(names[1], images.read[1].samples), None
        if folders[-1].classes:
            seen = own_exam or overlap
            examined = replace(images.labelled(-1, folders[0].classes).exam(names[1]), transductive=seen)
    return Problem(
        name=name or folder_problem_name(source, target, exam),
        domains=(known.domain(names[0]), domain),
        input=images.input,
        backbone=images.backbone,
        recipe=default_recipe(len(known.labels), len(domain.samples)),
        exams=(examined,) if examined else (),
        notes=notes,
    )


def folder_problem_name(source: str | Path, target: str | Path, exam: str | Path | None = None) -> str:
    """What `folder_problem` calls a problem of these folders; nothing is read."""
    return "-".join(folder_names(_places(source, target, exam))[:2])


def _places(source: str | Path, target: str | Path, exam: str | Path | None) -> list[Path]:
    """The folders to read: an exam that is the target itself is no other."""
    places = [Path(place) for place in (source, target, *([exam] if exam is not None else []))]
    return places[:2] if places[-1].resolve() == places[1].resolve() else places
