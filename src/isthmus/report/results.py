"""What an output folder holds: `results.json`, and `history.json` and `views.npz` of each run."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, cast

from isthmus.errors import RunFolderError

if TYPE_CHECKING:
    from numpy.typing import NDArray

SCHEMA = 1
RESULTS, REPORT = "results.json", "report.html"
"""Of an output folder."""
CONFIG, RESULT = "config.json", "result.json"
"""Of an output folder from its start, and of a run's when it is finished."""
HISTORY, VIEWS, FINDINGS = "history.json", "views.npz", "findings.npz"
"""Of a run's folder, beside what some kinds of problems keep for pictures of their own."""


class Scores(TypedDict):
    """Of the metric in question; None where there is no exam to measure on."""

    last: float | None
    selected: float | None
    oracle: float | None


class Diagnostic(TypedDict):
    """A value computed from a run; the message is empty unless something looks wrong."""

    name: str
    value: float
    message: str


class HeadScores(Scores, total=False):
    """In a unit of their own, which results of earlier versions do not say."""

    unit: str


class RunRecord(TypedDict):
    """One method trained with one seed; `folder` is relative to that of `results.json`.

    Scores are shares, 1 for all, where the unit is `%`, else numbers of that unit.
    """

    method: str
    seed: int
    metric: str
    higher_is_better: bool
    unit: str
    scores: Scores
    selected_by: str
    selected_epoch: int
    epochs: int
    steps: int
    seconds: float
    images_per_second: float
    peak_memory_mb: float | None
    parameters: int
    diagnostics: list[Diagnostic]
    heads: dict[str, HeadScores]
    versions: dict[str, str]
    folder: str


class Statistic(TypedDict):
    """Mean and standard error over seeds; the error of one value is unknown."""

    mean: float | None
    stderr: float | None


class SummaryRow(TypedDict):
    """One method over its seeds."""

    method: str
    n: int
    last: Statistic
    selected: Statistic
    oracle: Statistic


class DomainRecord(TypedDict):
    """A domain as training saw it, with the names of its own classes, or of its pixel-wise tasks, if it is labelled."""

    name: str
    samples: int
    labelled: bool
    classes: list[str]
    tasks: list[str]


class ExamRecord(TypedDict):
    """The held-out labelled samples; `transductive` when they were also trained on, without their labels."""

    name: str
    samples: int
    transductive: bool


class ProblemRecord(TypedDict):
    """What was solved."""

    name: str
    setting: str
    classes: list[str]
    domains: list[DomainRecord]
    exam: ExamRecord | None
    backbone: str
    recipe: dict[str, Any]
    notes: list[str]


class Results(TypedDict):
    """The whole of `results.json`."""

    schema: int
    problem: ProblemRecord
    versions: dict[str, str]
    runs: list[RunRecord]
    summary: list[SummaryRow]


class EpochRow(TypedDict):
    """An epoch of a run: mean losses, metrics on the exam by head or name, label-free scores (higher is better)."""

    epoch: int
    losses: dict[str, float]
    metrics: dict[str, float]
    scores: dict[str, float]


@dataclass(frozen=True)
class Views:
    """What a run keeps for pictures: features (samples, width) before and after training, and some predictions.

    A label of -1 is unknown. `pictures` is (samples, height, width, 3) of bytes, without samples for vector data.
    """

    source_before: NDArray[Any]
    target_before: NDArray[Any]
    source_after: NDArray[Any]
    target_after: NDArray[Any]
    source_labels: NDArray[Any]
    target_labels: NDArray[Any]
    pictures: NDArray[Any]
    picture_labels: NDArray[Any]
    picture_probabilities: NDArray[Any]


def statistic(values: Iterable[float | None]) -> Statistic:
    """Mean and standard error, std(ddof=1) / sqrt(n), of the values that are known.

    >>> statistic([0.5, 0.75, None])
    {'mean': 0.625, 'stderr': 0.125}
    """
    known = [value for value in values if value is not None]
    if not known:
        return {"mean": None, "stderr": None}
    error = statistics.stdev(known) / math.sqrt(len(known)) if len(known) > 1 else None
    return {"mean": statistics.fmean(known), "stderr": error}


def by_method(runs: Iterable[RunRecord]) -> dict[str, list[RunRecord]]:
    """The runs of each method, in order of first appearance."""
    groups: dict[str, list[RunRecord]] = {}
    for run in runs:
        groups.setdefault(run["method"], []).append(run)
    return groups


def summarise(runs: Sequence[RunRecord]) -> list[SummaryRow]:
    """Each method's scores over its seeds, in order of first appearance."""
    return [
        {
            "method": method,
            "n": len(group),
            "last": statistic(run["scores"]["last"] for run in group),
            "selected": statistic(run["scores"]["selected"] for run in group),
            "oracle": statistic(run["scores"]["oracle"] for run in group),
        }
        for method, group in by_method(runs).items()
    ]


def matched(runs: Sequence[RunRecord], others: Sequence[RunRecord]) -> tuple[Statistic, Statistic]:
    """The last epochs of two methods over the seeds that both have: all that their difference may be told of."""
    seeds = {run["seed"] for run in runs} & {run["seed"] for run in others}
    own, other = ([run["scores"]["last"] for run in group if run["seed"] in seeds] for group in (runs, others))
    return statistic(own), statistic(other)


def read_results(folder: Path) -> Results:
    """The results of an output folder.

    Raises:
        RunFolderError: `results.json` is missing, unreadable, of another schema or without a run.
    """
    path = folder / RESULTS
    if not path.is_file():
        if (folder / CONFIG).is_file() and not (folder / RESULT).is_file():
            raise RunFolderError(
                f"No run has finished in {folder} yet. Continue it with the command that began it and `--resume`."
            )
        raise RunFolderError(
            f"Expected an output folder with `results.json`, but `{path}` does not exist. "
            "Give the folder that `isthmus compare` or `isthmus fit` wrote."
        )
    content = read_json(path, "Delete it, and run the command that wrote it again with `--resume`.")
    schema = content.get("schema") if isinstance(content, dict) else None
    if schema != SCHEMA:
        raise RunFolderError(
            f"Expected `{path}` with `schema` {SCHEMA}, but got {schema!r}. "
            "Read it with the version of isthmus that wrote it."
        )
    missing = [key for key in ("problem", "versions", "runs", "summary") if key not in content]
    if missing or not content["runs"]:
        lack = f"no {', '.join(f'`{key}`' for key in missing)}" if missing else "no finished run"
        raise RunFolderError(f"Expected complete results in `{path}`, but it has {lack}. Run the command again.")
    return cast(Results, content)


def read_run(folder: Path, remedy: str) -> RunRecord:
    """The entry of the finished run in `folder`.

    Args:
        folder: of the run.
        remedy: what to do if the file is damaged.

    Raises:
        RunFolderError: `result.json` is unreadable.
    """
    return cast(RunRecord, read_json(folder / RESULT, remedy))


def read_history(folder: Path) -> list[EpochRow]:
    """The epochs of the run in `folder`.

    Raises:
        RunFolderError: `history.json` is missing or unreadable.
    """
    path = folder / HISTORY
    if not path.is_file():
        raise RunFolderError(
            f"Expected a run's folder with `history.json`, but `{path}` does not exist. "
            "Keep the runs' folders beside `results.json`, or run the command again."
        )
    return cast(list[EpochRow], read_json(path))


def read_views(folder: Path) -> Views | None:
    """Features and sample predictions of the run in `folder`; None if it kept none.

    Raises:
        RunFolderError: `views.npz` is unreadable or lacks an array.
    """
    arrays = read_arrays(folder / VIEWS, tuple(Views.__dataclass_fields__))
    return Views(**{name: arrays[name] for name in Views.__dataclass_fields__}) if arrays else None


def read_findings(folder: Path) -> dict[str, NDArray[Any]]:
    """What the run in `folder` found besides a classifier, by name; nothing if it kept nothing.

    Raises:
        RunFolderError: `findings.npz` is unreadable.
    """
    return read_arrays(folder / FINDINGS)


def read_arrays(path: Path, needed: Sequence[str] = ()) -> dict[str, NDArray[Any]]:
    """The arrays in a file that a run keeps for pictures, by name; nothing if there is no such file.

    Raises:
        RunFolderError: it is unreadable, or lacks one that is needed.
    """
    import zipfile

    import numpy as np

    if not path.is_file():
        return {}
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in needed or arrays}
    except (KeyError, ValueError, OSError, zipfile.BadZipFile) as error:
        raise RunFolderError(
            f"Expected the arrays of a run in `{path}`, but got: {error}. Delete the file to do without them."
        ) from error


def read_json(path: Path, remedy: str = "Was it edited by hand? Run the command again.") -> Any:
    """Plain data.

    Args:
        path: of the file.
        remedy: what to do if it is damaged.

    Raises:
        RunFolderError: it is no JSON.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise RunFolderError(f"Expected JSON in `{path}`, but got: {error}. {remedy}") from error
