"""Which label file belongs to which image: the one of the same name, or of the same number."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import TypeVar

from isthmus.data.readers.image_folder import check_names, files_below, hidden
from isthmus.errors import DataError

K = TypeVar("K", str, int)


def named_files(place: Path, suffixes: Collection[str]) -> dict[str, Path]:
    """Files by what they are paired by, in order.

    Of a folder, all files below it of these suffixes, by their path in it without suffix; of a pattern such as
    `scenes/*_rgb.png`, those that match, by what stands for the star. Hidden files and folders do not count.

    Raises:
        DataError: nothing there, two files of one name, or a name that is not UTF-8.
    """
    if "*" in str(place):
        found = _matching(place)
    else:
        found = [
            (path.relative_to(place).with_suffix("").as_posix(), path)
            for path in (files_below(place) if place.is_dir() else ())
            if path.suffix.lower() in suffixes
        ]
    if not found:
        what = "a folder without any" if place.is_dir() else "nothing that matches" if "*" in str(place) else "nothing"
        raise DataError(f"expected files ({', '.join(sorted(suffixes))}) at `{place}`, but got {what}. Check the path.")
    check_names(path for _, path in found)
    return _by_name(sorted(found))


def numbered_files(place: Path, suffixes: Collection[str]) -> dict[int, Path]:
    """Files below a folder by the number that their names end in: `00012.png` by 12.

    Raises:
        DataError: nothing there, a name without a number, or two files of one number.
    """
    found = []
    for name, path in named_files(place, suffixes).items():
        if not (number := re.search(r"(\d+)$", name)):
            raise DataError(f"expected names that end in a number, such as `00012.png`, but got `{path}`.")
        found.append((int(number[1]), path))
    return _by_name(found)


def _matching(place: Path) -> list[tuple[str, Path]]:
    if str(place).count("*") > 1:
        raise DataError(f"expected one `*`, for what images and labels are paired by, but got `{place}`.")
    first = next(number for number, part in enumerate(place.parts) if "*" in part)
    root, pattern = Path(*place.parts[:first]), "/".join(place.parts[first:])
    name = re.compile(re.escape(pattern).replace(r"\*", "([^/]+)"))
    found = ((path.relative_to(root), path) for path in root.glob(pattern))
    matches = ((name.fullmatch(part.as_posix()), path) for part, path in found if not hidden(part.parts[0]))
    return [(match[1], path) for match, path in matches if match]


def _by_name(found: list[tuple[K, Path]]) -> dict[K, Path]:
    files: dict[K, Path] = {}
    for name, path in found:
        if name in files:
            raise DataError(f"expected one file called `{name}`, but got `{files[name]}` and `{path}`. Remove one.")
        files[name] = path
    return files


def paired(images: dict[str, Path], labels: dict[str, Path]) -> tuple[Path, ...]:
    """The label file of each image, in order.

    Raises:
        DataError: images without one, or that are their own.
    """
    missing = [name for name in images if name not in labels]
    if missing:
        raise DataError(
            f"expected a label file for each of {len(images)} images, but got none for {len(missing)}, such as "
            f"`{images[missing[0]]}`; the label files are called like `{next(iter(labels.values()))}`. "
            f"Add them, or leave the images out."
        )
    files = tuple(labels[name] for name in images)
    if files[0] == next(iter(images.values())):
        raise DataError(f"expected label files beside the images, but `{files[0]}` would be both. Tell them by a `*`.")
    return files
