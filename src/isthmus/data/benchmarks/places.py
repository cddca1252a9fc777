"""Where a benchmark's files may lie under the data root."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from isthmus.errors import DataError


def data_root(path: Path | None = None) -> Path:
    """The folder that holds the data: `path`, or else that of `ISTHMUS_DATA`, or else `~/.cache/isthmus`."""
    return Path(path or os.environ.get("ISTHMUS_DATA") or "~/.cache/isthmus").expanduser()


def first_existing(root: Path, candidates: Iterable[str]) -> Path | None:
    """The first of some paths below `root` that exists."""
    return next((root / candidate for candidate in candidates if (root / candidate).exists()), None)


def matching_folder(place: Path, *names: str) -> Path | None:
    """A folder in `place` called like one of `names`, whatever its case, spaces, dashes and underscores.

    Names are tried in order, and of several matching folders the first in alphabetical order is taken.
    """
    return _called({child: child.name for child in _children(place) if child.is_dir()}, names)


def matching_file(place: Path, *names: str) -> Path | None:
    """A file in `place`, found as a folder is by `matching_folder`, whatever its suffix."""
    return _called({child: child.stem for child in _children(place) if child.is_file()}, names)


def put_there(what: str, path: Path, layout: str, source: str) -> DataError:
    """The error for a benchmark that a person has to fetch."""
    return DataError(
        f"Expected {what} at `{path}`, but found nothing. It is not downloaded for you: get it from "
        f"{source} and lay it out as {layout}. Another data root is given by `--data-root` or `ISTHMUS_DATA`."
    )


def _children(place: Path) -> list[Path]:
    return sorted(place.iterdir()) if place.is_dir() else []


def _called(children: dict[Path, str], names: Iterable[str]) -> Path | None:
    return next((child for name in names for child in children if _plain(children[child]) == _plain(name)), None)


def _plain(name: str) -> str:
    return "".join(character for character in name.lower() if character.isalnum())
