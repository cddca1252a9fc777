"""What a folder of images holds, found without decoding any of them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from isthmus.errors import DataError
from isthmus.names import listed

SUFFIXES = frozenset(
    (".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp")
)


@dataclass(frozen=True)
class ImageFolder:
    """A folder with a folder of images per class, or a flat one, whose images have no labels.

    Attributes:
        root: the folder.
        paths: of its images, sorted.
        classes: names of its class folders, sorted; empty for a flat folder.
        labels: index of each image's class; empty for a flat folder.
    """

    root: Path
    paths: tuple[Path, ...]
    classes: tuple[str, ...] = ()
    labels: tuple[int, ...] = ()

    @property
    def class_names(self) -> tuple[str, ...]:
        """The class of each image; empty for a flat folder."""
        return tuple(self.classes[label] for label in self.labels)

    def files(self) -> frozenset[Path]:
        """The images' true places, behind all symbolic links, to compare with another folder's."""
        return frozenset(path.resolve() for path in self.paths)


def scan_folder(root: Path) -> ImageFolder:
    """The images below `root`; its first-level folders are the classes.

    Common image suffixes count, in either case, and folders behind links; hidden files and folders do not.

    Raises:
        DataError: no such folder, one that may not be read, no images, a class folder without images, images beside
            class folders, or a name that is not UTF-8.
    """
    if not root.is_dir():
        found = "a file" if root.exists() else "nothing"
        raise DataError(f"Expected a folder of images at `{root}`, but got {found}. Check the path.")
    children = sorted(child for child in root.iterdir() if not hidden(child.name))
    check_names(children)
    direct = tuple(child for child in children if _is_image(child))
    folders = [child for child in children if child.is_dir()]
    found_in = {folder.name: tuple(sorted(_images_below(folder))) for folder in folders}
    check_names(path for images in found_in.values() for path in images)
    if not direct and not any(found_in.values()):
        raise DataError(
            f"Expected images in `{root}` ({', '.join(sorted(SUFFIXES))}), but got none. Put a folder of images per "
            f"class there, or the images themselves for a domain without labels."
        )
    if not any(found_in.values()):
        return ImageFolder(root, direct)
    if direct:
        raise DataError(
            f"Expected either images or class folders in `{root}`, but got both: {len(direct)} images (first: "
            f"`{direct[0].name}`) beside {listed(found_in)}. Move the images into class folders."
        )
    empty = [name for name, images in found_in.items() if not images]
    if empty:
        raise DataError(
            f"Expected images in every class folder of `{root}`, but got none in {listed(empty)}. "
            f"Add images or remove the empty folder."
        )
    classes = tuple(found_in)
    return ImageFolder(
        root,
        tuple(path for name in classes for path in found_in[name]),
        classes,
        tuple(label for label, name in enumerate(classes) for _ in found_in[name]),
    )


def find_images(place: Path) -> tuple[Path, ...]:
    """An image file itself, or the sorted images below a folder.

    Raises:
        DataError: nothing there, no images in the folder, or a name that is not UTF-8.
    """
    found = tuple(sorted(_images_below(place))) if place.is_dir() else (place,) if place.is_file() else ()
    if not found:
        what = "no images below it" if place.is_dir() else "nothing there"
        raise DataError(f"Expected an image or a folder of images at `{place}`, but got {what}. Check the path.")
    check_names(found)
    return found


def check_names(paths: Iterable[Path]) -> None:
    """Refuse names that are not UTF-8: no report and no table could show them.

    Raises:
        DataError: with the first of them.
    """
    for path in paths:
        shown = str(path).encode(errors="backslashreplace").decode()
        if shown != str(path):
            raise DataError(f"Expected names in UTF-8, but got `{shown}`. Rename the file or folder.")


def files_below(folder: Path) -> Iterator[Path]:
    """All files that are not hidden, in folders that are not, those behind links too, each folder once.

    Raises:
        DataError: a folder that may not be read.
    """
    entered = set()
    for place, folders, files in os.walk(folder, onerror=_refuse, followlinks=True):
        true_place = os.path.realpath(place)
        if true_place in entered:  # by a link, which may lead in a circle
            folders.clear()
            continue
        entered.add(true_place)
        folders[:] = [name for name in folders if not hidden(name)]
        yield from (Path(place, name) for name in files if not hidden(name))


def hidden(name: str) -> bool:
    """Whether a file or folder is to be passed over."""
    return name.startswith(".") or name == "__MACOSX"  # what some archivers leave behind


def _images_below(folder: Path) -> Iterator[Path]:
    return filter(_is_image, files_below(folder))


def _is_image(path: Path) -> bool:
    """By its name: a link to nothing is an image that cannot be read."""
    return path.suffix.lower() in SUFFIXES and not path.is_dir()


def _refuse(error: OSError) -> None:
    raise DataError(f"Could not look into `{error.filename}`: {error.strerror}. Change its permissions or remove it.")
