"""The rows of a paper's table, trained and measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

from isthmus.data.benchmarks import load_problem
from isthmus.data.problems import Problem
from isthmus.data.recipes import Recipe
from isthmus.engine.hardware import Hardware, on_first_process
from isthmus.errors import RunFolderError
from isthmus.experiments.comparison import check_runs, compare
from isthmus.experiments.folders import check_folder, comparison_folder, usable, write_json
from isthmus.experiments.run import check_startable
from isthmus.names import listed, slug, unknown
from isthmus.papers import PaperTable, load_table
from isthmus.papers.tables import Column, Published, Row
from isthmus.report.reproduction import REPRODUCTION, SCHEMA, Cell, read_reproduction
from isthmus.report.reproduction import Reproduction as Content
from isthmus.report.results import RESULTS, Results, Statistic, read_results, statistic
from isthmus.report.units import unit_of


@dataclass(frozen=True)
class Reproduction:
    """A table of a paper, measured, on disk.

    Attributes:
        folder: `reproduction.json`, and a comparison for each problem and recipe.
    """

    folder: Path

    @property
    def content(self) -> Content:
        """The content of `reproduction.json`."""
        return read_reproduction(self.folder)


@dataclass(frozen=True)
class _Part:
    """The cells that one comparison fills: those of a problem and a recipe."""

    problem: str
    changes: Mapping[str, Any]
    methods: Sequence[str]
    folder: str


def reproduce(
    paper: str,
    table: str,
    *,
    rows: Sequence[str] = (),
    columns: Sequence[str] = (),
    seeds: int | None = None,
    recipe: Mapping[str, Any] = {},
    out: str | Path | None = None,
    data_root: str | Path | None = None,
    hardware: Hardware = Hardware(),
    resume: bool = False,
    overwrite: bool = False,
) -> Reproduction:
    """Train the rows of a paper's table by the paper's recipe and measure them beside what was published.

    All of the table stands in the result, with what was published and, of rows and columns that were run in this folder
    now or before, what was measured. It is written after every comparison.

    Args:
        paper: short name of the paper, such as `dfa`.
        table: number of the table in it.
        rows: names of methods, to run only these rows.
        columns: names of problems, to run only these columns.
        seeds: number of runs of each method; the paper's by default.
        recipe: what to change of the paper's recipes, by the names of `Recipe`'s fields.
        out: output folder; by default `isthmus-out/PAPER-TABLE`.
        data_root: where benchmark data lies; `ISTHMUS_DATA` by default.
        hardware: devices, processes and precision.
        resume: continue what was killed, exactly, or add rows, columns or seeds.
        overwrite: replace the comparisons of these rows and columns.

    Raises:
        IsthmusError: one of its kinds, before training wherever possible; what is already computed stays.
    """
    whole = load_table(paper, table)
    seeds = whole.seeds if seeds is None else seeds
    folder = comparison_folder(out, f"{paper}-{table}")
    parts = _parts(whole.only(rows, columns))
    _check_changes(folder, recipe)
    for part in parts:
        check_runs(part.methods, seeds)
        replace(Recipe(), **{**part.changes, **recipe})
        check_folder(folder / part.folder, resume=resume, overwrite=overwrite)

    def problem_of(part: _Part) -> Problem:
        found = load_problem(part.problem, Path(data_root) if data_root else None)
        changed = replace(found.recipe, **{**part.changes, **recipe})
        return replace(found, recipe=changed, backbone=whole.backbone or found.backbone)

    def write() -> None:
        with usable(folder):
            folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / REPRODUCTION, _content(whole, folder, recipe))

    fabric = hardware.fabric()
    for part in parts:  # a data set that is missing is told before the first of many runs
        check_startable(part.methods, problem_of(part), fabric.world_size)
    on_first_process(fabric, write)
    for part in parts:
        out, problem = folder / part.folder, problem_of(part)
        compare(part.methods, problem, seeds=seeds, out=out, hardware=hardware, resume=resume, overwrite=overwrite)
        on_first_process(fabric, write)
    return Reproduction(folder)


def _check_changes(folder: Path, changes: Mapping[str, Any]) -> None:
    """Refuse what is no part of a recipe, and a folder whose cells were measured by other changes."""
    for name in changes:
        if name not in (known := [field.name for field in fields(Recipe)]):
            raise unknown("part of a recipe", name, known, f"Its parts are {listed(known, most=20)}.")
    if (folder / REPRODUCTION).is_file() and (before := read_reproduction(folder)["changes"]) != dict(changes):
        raise RunFolderError(
            f"The table in {folder} was begun with other changes of the paper's recipe: {before or 'none'}, not "
            f"{dict(changes) or 'none'}. Choose another folder with `--out`."
        )


def _parts(table: PaperTable) -> list[_Part]:
    """The comparisons that fill the table."""
    found: dict[str, _Part] = {}
    for column in table.columns:
        for row in table.rows:
            if column.problem and row.method:
                folder = _folder(column.problem, row.recipe)
                known = found.get(folder, _Part(column.problem, table.changes(row, column), (), folder))
                found[folder] = replace(known, methods=tuple(dict.fromkeys((*known.methods, row.method))))
    return list(found.values())


def _folder(problem: str, recipe: str | None) -> str:
    return slug(f"{problem}-{recipe}" if recipe else problem)


def _content(table: PaperTable, folder: Path, changes: Mapping[str, Any]) -> Content:
    places = [part.folder for part in _parts(table)]
    measured = {place: read_results(folder / place) for place in places if (folder / place / RESULTS).is_file()}
    return {
        "schema": SCHEMA,
        "paper": table.paper,
        "table": table.number,
        "source": table.source,
        "title": table.title,
        "published_seeds": table.seeds,
        "published_spread": table.spread,
        "changes": dict(changes),
        "cells": [
            _cell(row, column, row.published[i], measured)
            for i, column in enumerate(table.columns)
            for row in table.rows
        ],
    }


def _cell(row: Row, column: Column, published: Published | None, measured: Mapping[str, Results]) -> Cell:
    part = _folder(column.problem, row.recipe) if column.problem and row.method else None
    results = measured.get(part) if part else None
    runs = [run for run in results["runs"] if run["method"] == row.method] if results else []
    scores = [run["heads"][column.domain] if column.domain else run["scores"] for run in runs]
    times = unit_of(results, column.domain).times if results else 1.0

    def over_seeds(epoch: Literal["last", "selected", "oracle"]) -> Statistic | None:
        known = [score[epoch] for score in scores]
        return statistic(None if value is None else times * value for value in known) if known else None

    return {
        "column": column.name,
        "row": row.name,
        "method": row.method,
        "published": published.value if published else None,
        "spread": published.spread if published else None,
        "last": over_seeds("last"),
        "selected": over_seeds("selected"),
        "oracle": over_seeds("oracle"),
        "seeds": len(runs),
        "folder": part,
    }
