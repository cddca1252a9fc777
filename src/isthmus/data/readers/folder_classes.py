"""What the class folders of two domains amount to, and what they may not share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from isthmus.data.readers.image_folder import ImageFolder, scan_folder
from isthmus.data.tasks import Setting
from isthmus.errors import DataError
from isthmus.names import listed


def folder_setting(source: str | Path, target: str | Path) -> Setting:
    """The setting of a problem from two folders, by the names of their class folders; no image is read.

    Raises:
        DataError: the folders make no problem, as in `folder_problem`.
    """
    return setting_of(scan_folder(Path(source)), scan_folder(Path(target)))


def setting_of(source: ImageFolder, target: ImageFolder) -> Setting:
    """Unsupervised where the target has no class folders or the source's, inductive where it has none of the source's.

    Names that differ in case only count as the same class: they are a mistake, not two tasks.

    Raises:
        DataError: no class folders or only one, or target classes of which some are the source's and others are not.
    """
    check_class_folders(source)
    if not target.classes or set(source.classes) == set(target.classes):
        return Setting.UNSUPERVISED
    if not {name.casefold() for name in source.classes} & {name.casefold() for name in target.classes}:
        check_class_folders(target, hint=f"If its images have no labels, give `{target.root / target.classes[0]}`.")
        return Setting.INDUCTIVE
    only_source = sorted(set(source.classes) - set(target.classes))
    only_target = sorted(set(target.classes) - set(source.classes))
    raise DataError(
        f"Expected the same class folders in `{source.root}` and `{target.root}`, as unsupervised methods need the "
        f"same classes in both domains, or no class in both, as inductive methods do, but got {len(only_source)} only "
        f"in the source ({listed(only_source)}) and {len(only_target)} only in the target ({listed(only_target)}). "
        f"Rename or remove these folders; a target without labels needs no class folders."
    )


def check_class_folders(folder: ImageFolder, *, hint: str = "") -> None:
    """Refuse a domain to learn from that has fewer than two class folders.

    Args:
        folder: of the domain.
        hint: what else a single folder may mean.

    Raises:
        DataError: saying what the folder holds instead.
    """
    _refuse_flat(folder)
    if len(folder.classes) < 2:
        raise DataError(
            f"Expected at least two class folders in `{folder.root}`, but got only `{folder.classes[0]}`. "
            f"Add a folder of images per class. {hint}".rstrip()
        )


def check_folders(folders: Sequence[ImageFolder], setting: Setting) -> bool:
    """Refuse an exam of other classes than the target's task has, and images that two folders may not share.

    The source may share images with no other folder, a target whose labels are trained on none with the exam.

    Args:
        folders: of the source, the target and, if there is one, the exam.
        setting: that source and target amount to.

    Returns:
        Whether target and exam share images, which makes an unsupervised exam transductive.

    Raises:
        DataError: naming the classes, or the number of shared files and the first of them.
    """
    source, target, *exams = folders
    inductive = setting is Setting.INDUCTIVE
    for exam in exams:
        _refuse_flat(exam)
        classes = (target if inductive else source).classes
        unknown = sorted(set(exam.classes) - set(classes))
        if unknown:
            raise DataError(
                f"Expected the classes of `{exam.root}` among the {'target' if inductive else 'source'}'s "
                f"({listed(classes)}), but got also {listed(unknown)}. Rename or remove these folders."
            )
    of_source, *of_others = (folder.files() for folder in folders)
    for folder, files in zip(folders[1:], of_others):
        refuse_shared(of_source & files, f"`{folder.root}`", f"the source `{source.root}`")
    if not exams:
        return False
    shared = of_others[0] & of_others[1]
    if inductive:
        refuse_shared(shared, f"`{exams[0].root}`", f"the target `{target.root}`, whose labels are trained on")
    return bool(shared)


def refuse_shared(shared: frozenset[Path], one: str, other: str) -> None:
    """Refuse images of two places that may share none.

    Raises:
        DataError: naming the places, the number of shared files and the first of them.
    """
    if shared:
        raise DataError(
            f"Expected other images in {one} than in {other}, but got {len(shared)} files of both "
            f"(first: `{min(shared)}`). Give folders that do not overlap."
        )


def _refuse_flat(folder: ImageFolder) -> None:
    if not folder.classes:
        raise DataError(
            f"Expected class folders in `{folder.root}`, but got {len(folder.paths)} images without any. "
            f"Put each image into a folder named after its class."
        )
