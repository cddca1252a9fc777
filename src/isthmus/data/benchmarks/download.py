"""Official files, downloaded once and checked."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from urllib.request import urlopen

from isthmus.errors import DataError
from isthmus.files import replacing
from isthmus.progress import console, progress_bar

TIMEOUT = 30
"""Seconds without an answer after which a download is given up."""
CHUNK = 1 << 18


@dataclass(frozen=True)
class RemoteFile:
    """A file at its official address.

    Attributes:
        url: where it is.
        md5: its checksum, in hexadecimal digits.
    """

    url: str
    md5: str

    @property
    def name(self) -> str:
        return self.url.rsplit("/", 1)[-1]


def fetch(file: RemoteFile, folder: Path) -> Path:
    """The file in `folder`, downloaded where it is not there yet.

    It appears under its name only when complete and checked, so that an interrupted download, or several processes that
    download at once, leave no half file. A file that is there already is taken as it is.

    Raises:
        DataError: no connection, no place to write, or another checksum; it says where to put the file by hand.
    """
    path = folder / file.name
    if path.exists():
        return path
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"Expected to write to `{folder}`, but got: {error}. Give another `--data-root`.") from error
    try:
        with replacing(path) as part:
            digest = _copy(file, part)
            if digest != file.md5:
                raise DataError(
                    f"Expected `{file.url}` with the MD5 checksum {file.md5}, but got {digest}. Try again later, or "
                    f"put the right file at `{path}` yourself."
                )
    except (OSError, HTTPException) as error:
        raise DataError(
            f"Could not download `{file.url}` to `{path}` ({getattr(error, 'reason', None) or error}). Connect to the "
            f"internet, or download it elsewhere and put it at `{path}`, or give another `--data-root`."
        ) from error
    return path


def _copy(file: RemoteFile, path: Path) -> str:
    """Write the file's content to `path` and return its checksum."""
    console().print(f"Downloading {file.url}")
    digest = hashlib.md5(usedforsecurity=False)
    with urlopen(file.url, timeout=TIMEOUT) as answer, path.open("wb") as copy, progress_bar() as progress:
        size = answer.headers.get("Content-Length")
        bar = progress.add_task(f"{file.name} (MB)", total=int(size) / 1e6 if size else None, status="")
        while chunk := answer.read(CHUNK):
            digest.update(chunk)
            copy.write(chunk)
            progress.advance(bar, len(chunk) / 1e6)
    return digest.hexdigest()
