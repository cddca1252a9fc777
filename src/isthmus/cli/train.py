"""Commands that train."""

from __future__ import annotations

from pathlib import Path

from isthmus.checks import random_seed
from isthmus.cli.flags import LOADING, Folders, Training, chosen_problem
from isthmus.cli.output import print_json, show_reproduction, show_results, show_tables, table_row
from isthmus.cli.parsing import Changes
from isthmus.data.recipes import Recipe
from isthmus.engine.hardware import Hardware
from isthmus.progress import waiting


def compare(
    problem: str | None = None,
    *,
    methods: list[str] = [],  # noqa: B006  (read only)
    seeds: int = 1,
    training: Training,
    folders: Folders,
    recipe: Changes[Recipe],
    hardware: Hardware,
) -> None:
    """Train several methods on one problem and print them side by side.

    Args:
        problem: built-in problem (`isthmus problems` lists them), or a problem file (`rooms.yaml`); `digits-photo`,
            which needs no files, by default.
        methods: names of methods (`isthmus methods` lists them), with options after a colon (`dann:hidden=512`); by
            default the baseline of the problem's setting and two more.
        seeds: number of runs of each method.
        training: what all training commands take.
        folders: images of your own, instead of a built-in problem.
        recipe: changes of the problem's recipe.
        hardware: devices, processes and precision.
    """
    with waiting(LOADING):
        from isthmus import experiments
        from isthmus.experiments.comparison import check_runs
        from isthmus.experiments.folders import comparison_folder

    def output(name: str) -> Path:
        return comparison_folder(training.out, name)

    check_runs(methods, seeds)
    chosen = chosen_problem(problem, folders, training, recipe, methods, output)
    comparison = experiments.compare(methods, chosen, seeds=seeds, hardware=hardware, **training.arguments())
    show_results(comparison.folder, training.json)


def fit(
    method: str,
    problem: str | None = None,
    *,
    seed: int = 0,
    training: Training,
    folders: Folders,
    recipe: Changes[Recipe],
    hardware: Hardware,
) -> None:
    """Train one method.

    Args:
        method: name of a method (`isthmus methods` lists them), with options after a colon (`dann:hidden=512`).
        problem: built-in problem (`isthmus problems` lists them), or a problem file (`rooms.yaml`); `digits-photo`,
            which needs no files, by default.
        seed: of initialisation, shuffles, augmentation and dropout.
        training: what all training commands take.
        folders: images of your own, instead of a built-in problem.
        recipe: changes of the problem's recipe.
        hardware: devices, processes and precision.
    """
    with waiting(LOADING):
        from isthmus import experiments
        from isthmus.experiments.folders import run_folder

    def output(name: str) -> Path:
        return run_folder(training.out, name, method, seed)

    random_seed(seed=seed)
    chosen = chosen_problem(problem, folders, training, recipe, [method], output)
    run = experiments.fit(method, chosen, seed=seed, hardware=hardware, **training.arguments())
    show_results(run.folder, training.json)


def reproduce(
    paper: str | None = None,
    table: str | None = None,
    *,
    rows: list[str] = [],  # noqa: B006  (read only)
    columns: list[str] = [],  # noqa: B006
    seeds: int | None = None,
    out: Path | None = None,
    data_root: Path | None = None,
    resume: bool = False,
    overwrite: bool = False,
    json: bool = False,
    recipe: Changes[Recipe],
    hardware: Hardware,
) -> None:
    """Train the rows of a paper's table and print them beside the published figures, or list the tables.

    Args:
        paper: short name of a paper (`dfa`); alone, its tables are listed with the names of their rows and columns.
        table: number of the table in it.
        rows: only these rows, by their methods; all that can be run by default.
        columns: only these columns, by their problems; all that can be run by default.
        seeds: number of runs of each method; as many as the paper's by default.
        out: output folder; by default one below isthmus-out, named after the table.
        data_root: where benchmark data lies; by default `ISTHMUS_DATA`, else ~/.cache/isthmus.
        resume: continue what was killed, exactly, or add rows, columns or seeds.
        overwrite: replace what isthmus wrote of these rows and columns into the output folder.
        json: print the content of reproduction.json, or of the list.
        recipe: changes of the paper's recipes.
        hardware: devices, processes and precision.
    """
    from isthmus.papers import load_tables

    if paper is None or table is None:
        tables = load_tables(paper)
        print_json([table_row(entry) for entry in tables]) if json else show_tables(tables, every=paper is None)
        return
    with waiting(LOADING):
        from isthmus import experiments

    found = experiments.reproduce(
        paper,
        table,
        rows=rows,
        columns=columns,
        seeds=seeds,
        recipe=recipe.values,
        out=out,
        data_root=data_root,
        hardware=hardware,
        resume=resume,
        overwrite=overwrite,
    )
    show_reproduction(found.folder, json)
