"""Output folders: refused, resumed or overwritten, never silently mixed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from isthmus.engine.checkpoints import write_atomically
from isthmus.errors import RunFolderError
from isthmus.names import slug
from isthmus.report.images import IMAGE_VIEWS
from isthmus.report.pixelwise import DENSE_VIEWS
from isthmus.report.results import CONFIG, FINDINGS, HISTORY, REPORT, RESULT, RESULTS, VIEWS, read_json

COMMON = ("problem", "select_by", "precision")
"""What the config of every output folder has."""
CHECKPOINT, LAST, SELECTED = "checkpoint.pt", "last", "selected"
"""Of a run's folder: the state of its training, and its models."""
WRITTEN = (
    *(CONFIG, RESULTS, REPORT, "runs"),
    *(RESULT, HISTORY, "metrics.csv", "tensorboard", CHECKPOINT, LAST, SELECTED),
    *(VIEWS, DENSE_VIEWS, IMAGE_VIEWS, FINDINGS),
)
"""All that isthmus writes into the output folder of a comparison or a run; what else is there is somebody's own."""
SHOWN = 5
"""Differences that a message names."""


def comparison_folder(out: str | Path | None, name: str) -> Path:
    """Where a comparison on a problem of this name goes, or the comparisons of a table."""
    return _expanded(out) if out else Path("isthmus-out", slug(name))


def run_folder(out: str | Path | None, problem: str, method: str, seed: int) -> Path:
    """Where a single run goes."""
    return _expanded(out) if out else Path("isthmus-out", "fit", slug(problem), f"{slug(method)}-seed{seed}")


def _expanded(out: str | Path) -> Path:
    try:
        return Path(out).expanduser()
    except RuntimeError as error:
        raise RunFolderError(
            f"Expected the name of a user after `~`, but got {out}. Choose another folder with `--out`."
        ) from error


def check_folder(folder: Path, *, resume: bool, overwrite: bool) -> bool:
    """Refuse an output folder that cannot be used; nothing is changed.

    Returns:
        Whether something is there.

    Raises:
        RunFolderError: not empty and neither flag given, or both flags; not an output folder; no permission.
    """
    if resume and overwrite:
        raise RunFolderError("Expected one of `--resume` and `--overwrite`, but got both.")
    with usable(folder):
        if folder.exists() and not folder.is_dir():
            raise RunFolderError(f"Expected a folder at {folder}, but a file is there. Choose another with `--out`.")
        occupied = folder.is_dir() and not all(_is_leftover(path) for path in folder.iterdir())
    if occupied and not _is_output(folder):
        raise RunFolderError(f"{folder} is not empty and not an output folder of isthmus. Choose another with `--out`.")
    if occupied and not (resume or overwrite):
        raise RunFolderError(
            f"{folder} holds an earlier run. Continue it with `--resume`, replace it with `--overwrite`, "
            f"or choose another folder with `--out`."
        )
    return occupied


def open_folder(folder: Path, config: dict[str, Any], *, resume: bool, overwrite: bool) -> None:
    """Make `folder` ready for a run with `config`.

    Args:
        folder: made if missing.
        config: plain data that decides what the run computes; kept in the folder, and compared on `resume`.
        resume: continue what is there, if its config is the same.
        overwrite: delete what isthmus wrote there, if it is an output folder.

    Raises:
        RunFolderError: as for `check_folder`; another config; no permission or space.
    """
    occupied = check_folder(folder, resume=resume, overwrite=overwrite)
    if occupied and resume:
        _check_same(folder, config)
    with usable(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if overwrite:
            _clear(folder)
    write_json(folder / CONFIG, config)


def write_json(path: Path, content: Any) -> None:
    """Write plain data, atomically."""
    write_atomically(path, lambda part: part.write_text(json.dumps(content, indent=2) + "\n"))


@contextmanager
def usable(folder: Path) -> Iterator[None]:
    """What the system refuses in here, it refuses about an output folder.

    Raises:
        RunFolderError: instead of the system's error.
    """
    try:
        yield
    except OSError as error:
        raise RunFolderError(f"Could not use {folder} for output: {error}. Choose another with `--out`.") from error


def _clear(folder: Path) -> None:
    """Delete what isthmus wrote, except the config, which is replaced: a kill leaves an output folder."""
    for path in list(folder.iterdir()):
        if path.name == CONFIG or not (path.name in WRITTEN or _is_leftover(path)):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _is_leftover(path: Path) -> bool:
    """Whether a kill left it of a file that was being written."""
    return any(path.match(f".{name}.*.part") for name in WRITTEN)


def _is_output(folder: Path) -> bool:
    """Whether `open_folder` wrote the config there; other programs call their files the same."""
    try:
        config = read_json(folder / CONFIG)
    except (OSError, RunFolderError):
        return False
    return isinstance(config, dict) and set(COMMON) <= set(config)


def _check_same(folder: Path, config: dict[str, Any]) -> None:
    before, now = _flat(read_json(folder / CONFIG)), _flat(json.loads(json.dumps(config)))
    differences = [
        f"`{key}` was {_short(before.get(key))}, is {_short(now.get(key))}"
        for key in {**before, **now}
        if before.get(key) != now.get(key)
    ]
    if differences:
        more = f" and {len(differences) - SHOWN} more" if len(differences) > SHOWN else ""
        raise RunFolderError(
            f"The run in {folder} was started with other settings or data: {'; '.join(differences[:SHOWN])}{more}. "
            f"Resume it with the same ones, or start anew with `--overwrite` or another `--out`."
        )


def _flat(content: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested dictionaries as one, with keys such as `problem.recipe.lr`."""
    flat: dict[str, Any] = {}
    for key, value in content.items():
        flat.update(_flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value})
    return flat


def _short(value: Any, most: int = 80) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= most else text[:most] + "…"
