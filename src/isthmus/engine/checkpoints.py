"""The files of a run, written whole, and its checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import torch

from isthmus.errors import RunFolderError
from isthmus.files import replacing


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` make a file of a run, which is put in place when it is complete.

    Raises:
        RunFolderError: no space or no permission.
    """
    try:
        with replacing(path) as part:
            write(part)
    except (OSError, RuntimeError) as error:  # torch.save reports a full disk as a RuntimeError
        raise RunFolderError(
            f"Could not write {path}: {error}. Free some space or choose another folder with `--out`; "
            f"what was written before is intact, and `--resume` continues from it."
        ) from error


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write tensors and plain data atomically."""
    write_atomically(path, lambda part: torch.save(state, part))


def load_checkpoint(path: Path, remedy: str = "Start anew with `--overwrite`.") -> dict[str, Any]:
    """Read what `save_checkpoint` wrote; no code in the file is run.

    Args:
        path: of the file.
        remedy: what to do if it is damaged.

    Raises:
        RunFolderError: the file is damaged.
    """
    try:
        return cast("dict[str, Any]", torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # of many types; torch's texts advise to run code in the file
        raise RunFolderError(f"The checkpoint {path} is damaged. {remedy}") from error
