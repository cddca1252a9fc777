"""Several methods and seeds on one problem."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from isthmus.checks import random_seed, whole
from isthmus.data.problems import Problem
from isthmus.data.recipes import Recipe
from isthmus.engine.hardware import Hardware, on_first_process
from isthmus.errors import OptionError
from isthmus.experiments.folders import comparison_folder, open_folder
from isthmus.experiments.job import Job
from isthmus.experiments.results import conditions, write_results
from isthmus.experiments.run import check_startable, resolve, setting_for
from isthmus.methods.registry import default_methods
from isthmus.names import slug
from isthmus.report.results import REPORT, RESULT, RESULTS, Results, RunRecord, read_results, read_run
from isthmus.selection.scores import score_for


@dataclass(frozen=True)
class Comparison:
    """A finished comparison, on disk.

    Attributes:
        folder: `results.json`, `report.html`, and a folder for every run in `runs`.
    """

    folder: Path

    @property
    def results(self) -> Results:
        """The content of `results.json`."""
        return read_results(self.folder)

    @property
    def report(self) -> Path:
        """The HTML report."""
        return self.folder / REPORT


def compare(
    methods: str | Sequence[str] = (),
    problem: str | Path | Problem = "digits-photo",
    *,
    seeds: int = 1,
    first_seed: int = 0,
    out: str | Path | None = None,
    recipe: Recipe | None = None,
    backbone: str | None = None,
    backbones: Sequence[str] = (),
    select_by: str | None = None,
    data_root: str | Path | None = None,
    hardware: Hardware = Hardware(),
    resume: bool = False,
    overwrite: bool = False,
) -> Comparison:
    """Train every method with every seed, measure them side by side, write `results.json` and `report.html`.

    Results are written after every run, so that nothing is lost if a later one fails. With `resume`, a comparison may
    also grow by other methods or seeds: only these are trained, and what was finished before stays in the results,
    whether it is asked for again or not.

    Args:
        methods: registered names, or one, with options after a colon (`dann:hidden=512`); none for the setting's
            usual ones.
        problem: a built-in name or a problem of your own.
        seeds: number of runs of each method.
        first_seed: the first run's seed; the others follow.
        out: output folder; by default `isthmus-out/PROBLEM`.
        recipe: how training goes; the problem's own by default.
        backbone: a backbone's name; the problem's own by default.
        backbones: of a joint problem, instead of that, the name of each domain's own, in order.
        select_by: label-free score that picks the `selected` epoch; the setting's usual one by default.
        data_root: where benchmark data lies; `ISTHMUS_DATA` by default.
        hardware: devices, processes and precision.
        resume: continue a killed comparison exactly, or add to a finished one.
        overwrite: replace what isthmus wrote into `out`.

    Raises:
        IsthmusError: one of its kinds, before training wherever possible; what is already computed stays.
    """
    from isthmus.report.html import write_report

    methods = [methods] if isinstance(methods, str) else methods or default_methods(setting_for(problem))
    check_runs(methods, seeds, first_seed)
    problem = resolve(methods, problem, data_root, recipe, backbone, backbones)
    select_by = score_for(problem.predicted, select_by)
    folder = comparison_folder(out, problem.name)
    fabric = hardware.fabric()
    check_startable(methods, problem, fabric.world_size)
    common = conditions(problem, select_by, hardware)
    on_first_process(fabric, lambda: open_folder(folder, common, resume=resume, overwrite=overwrite))
    runs = _finished(folder)
    for seed in range(first_seed, first_seed + seeds):
        for method in methods:
            job = Job(method, problem, seed, common, folder, f"runs/{slug(method)}-seed{seed}")
            runs[job.place] = job.run(fabric, hardware, resume=resume)
            on_first_process(fabric, lambda: write_results(folder, problem, list(runs.values())))
    on_first_process(fabric, lambda: write_report(folder))
    return Comparison(folder)


def check_runs(methods: Sequence[str], seeds: int, first_seed: int = 0) -> None:
    """Refuse a comparison that is none; needs no data.

    Raises:
        OptionError: a method twice, no run, or seeds that are none.
    """
    if len(set(methods)) != len(methods):
        raise OptionError(f"Expected different methods, but got {', '.join(methods)}.")
    whole(1, seeds=seeds)
    random_seed(first_seed=first_seed)
    random_seed(first_seed=first_seed + seeds - 1)


def _finished(folder: Path) -> dict[str, RunRecord]:
    """The finished runs in an output folder by place, in the order of its results and then by name."""
    known = read_results(folder)["runs"] if (folder / RESULTS).is_file() else []
    found = sorted(path.parent.relative_to(folder).as_posix() for path in folder.glob(f"runs/*/{RESULT}"))
    runs = {run["folder"]: run for run in known if run["folder"] in found}
    return runs | {
        place: read_run(folder / place, f"Delete the folder {folder / place}.") for place in found if place not in runs
    }
