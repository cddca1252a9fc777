"""Files that are either whole or not there."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, cast

import torch

from isthmus.errors import RunFolderError


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` make a file beside `path`, then put it in place in one move: a kill leaves the old file or the new.

    Raises:
        RunFolderError: no space or no permission.
    """
    part = path.with_name(path.name + ".part")
    try:
        write(part)
        with part.open("rb+") as file:
            os.fsync(file.fileno())
        part.replace(path)
    except (OSError, RuntimeError) as error:  # torch.save reports a full disk as a RuntimeError
        part.unlink(missing_ok=True)
        raise RunFolderError(
            f"Could not write {path}: {error}. Free some space or choose another folder with `--out`; "
            f"what was written before is intact, and `--resume` continues from it."
        ) from error


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write tensors and plain data atomically."""
    write_atomically(path, lambda part: torch.save(state, part))


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read what `save_checkpoint` wrote; no code in the file is run.

    Raises:
        RunFolderError: the file is damaged.
    """
    try:
        return cast("dict[str, Any]", torch.load(path, map_location="cpu", weights_only=True))
    except (OSError, RuntimeError, EOFError, UnpicklingError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise RunFolderError(f"The checkpoint {path} is damaged: {reason}. Start anew with `--overwrite`.") from error
