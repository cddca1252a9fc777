"""One method trained on one problem."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from isthmus.checks import random_seed
from isthmus.data.benchmarks import entries, is_problem_file, load_problem, setting_of
from isthmus.data.loaders import revealed, steps_per_epoch
from isthmus.data.problems import Problem
from isthmus.data.recipes import Recipe
from isthmus.data.samples import Samples
from isthmus.data.tasks import Setting
from isthmus.engine.hardware import Hardware, on_first_process
from isthmus.engine.parts import spreads
from isthmus.engine.trainer import check_stages
from isthmus.errors import OptionError, RunFolderError, SettingError
from isthmus.evaluation.dense_models import DenseModel, load_dense_model
from isthmus.evaluation.image_models import ImageModel, load_image_model
from isthmus.evaluation.models import DESCRIPTION, Model, load_model, predicted_by
from isthmus.experiments.evaluation import model_folder
from isthmus.experiments.folders import LAST, run_folder
from isthmus.experiments.job import Job
from isthmus.experiments.networks import backbone_for
from isthmus.experiments.results import conditions, write_results
from isthmus.files import replacing
from isthmus.methods.base import Plan
from isthmus.methods.registry import build_method, method_entry
from isthmus.names import Predicted, listed
from isthmus.report.results import RunRecord
from isthmus.selection.scores import score_for

if TYPE_CHECKING:
    from lightning.fabric import Fabric

LOADERS: dict[Predicted, Callable[[Path], Model | DenseModel | ImageModel]] = {
    "classes": load_model,
    "pixels": load_dense_model,
    "images": load_image_model,
}


@dataclass(frozen=True)
class Run:
    """A finished training run, on disk.

    Attributes:
        folder: `result.json`, `history.json`, `metrics.csv`, and the models of the `last` and `selected` epoch.
        result: the run's entry of `results.json`.
    """

    folder: Path
    result: RunRecord

    @property
    def models(self) -> dict[str, Model | DenseModel | ImageModel]:
        """The models of the last epoch by the domain that each is for: all of a joint problem, else the target.

        Raises:
            ModelFileError: a file is missing or damaged.
        """
        folder = self.folder / LAST
        several = sorted(place.parent for place in folder.glob(f"*/{DESCRIPTION}"))
        found = [LOADERS[predicted_by(place)](place) for place in several or [folder]]
        names = [model.trained_on.get("domain", model.trained_on["problem"]["domains"][-1]["name"]) for model in found]
        return dict(zip(names, found))

    @property
    def model(self) -> Model:
        """The classifier of the last epoch.

        Raises:
            ModelFileError: there are several, or none but one of another kind: see `models`.
        """
        return load_model(model_folder(self.folder))

    def predict(self, samples: Samples | Any) -> Tensor:
        """Class probabilities, (samples, classes), by the one classifier; of whatever its `predict` takes.

        Raises:
            ModelFileError: as for `model`.
            DataError: samples that the model cannot take.
        """
        return self.model.predict(samples)

    def save(self, folder: str | Path) -> None:
        """Write the last epoch's model: two files, all that prediction needs; of a joint problem, these of each domain.

        Raises:
            RunFolderError: no space or no permission, or the run's own files are missing.
        """
        try:
            shutil.copytree(self.folder / LAST, folder, copy_function=_copy, dirs_exist_ok=True)
        except OSError as error:
            raise RunFolderError(f"Could not write the model into {folder}: {error}. Choose another folder.") from error

    def report(self) -> Path:
        """Write `report.html` into the run's folder."""
        from isthmus.report.html import write_report

        return write_report(self.folder)


def _copy(file: str, place: str) -> None:
    with replacing(Path(place)) as part:
        shutil.copyfile(file, part)


def fit(
    method: str,
    problem: str | Path | Problem = "digits-photo",
    *,
    out: str | Path | None = None,
    seed: int = 0,
    recipe: Recipe | None = None,
    backbone: str | None = None,
    backbones: Sequence[str] = (),
    select_by: str | None = None,
    data_root: str | Path | None = None,
    hardware: Hardware = Hardware(),
    resume: bool = False,
    overwrite: bool = False,
) -> Run:
    """Train one method and measure it.

    Args:
        method: a registered name, with options after a colon (`dann:hidden=512`).
        problem: a built-in name or a problem of your own.
        out: output folder; by default `isthmus-out/fit/PROBLEM/METHOD-seedN`.
        seed: of initialisation, shuffles, augmentation and dropout.
        recipe: how training goes; the problem's own by default.
        backbone: a backbone's name; the problem's own by default.
        backbones: of a joint problem, instead of that, the name of each domain's own, in order.
        select_by: label-free score that picks the `selected` epoch; the setting's usual one by default.
        data_root: where benchmark data lies; `ISTHMUS_DATA` by default.
        hardware: devices, processes and precision.
        resume: continue a killed run exactly.
        overwrite: replace what isthmus wrote into `out`.

    Raises:
        IsthmusError: one of its kinds, before training wherever possible; what is already computed stays.
    """
    random_seed(seed=seed)
    problem = resolve([method], problem, data_root, recipe, backbone, backbones)
    select_by = score_for(problem.predicted, select_by)
    folder = run_folder(out, problem.name, method, seed)
    fabric = hardware.fabric()
    run = train(method, problem, seed, select_by, folder, fabric, hardware, resume=resume, overwrite=overwrite)
    on_first_process(fabric, lambda: write_results(folder, problem, [run.result]))
    on_first_process(fabric, run.report)
    return run


def train(
    method: str,
    problem: Problem,
    seed: int,
    select_by: str,
    folder: Path,
    fabric: Fabric,
    hardware: Hardware,
    *,
    resume: bool = False,
    overwrite: bool = False,
) -> Run:
    """Train one method, as `fit` does, on a problem that is resolved and without a report."""
    check_startable([method], problem, fabric.world_size)
    job = Job(method, problem, seed, conditions(problem, select_by, hardware), folder)
    return Run(folder, job.run(fabric, hardware, resume=resume, overwrite=overwrite))


def resolve(
    methods: Iterable[str],
    problem: str | Path | Problem,
    data_root: str | Path | None,
    recipe: Recipe | None,
    backbone: str | None,
    backbones: Sequence[str],
) -> Problem:
    """The problem, with what the caller replaces of it; methods of another setting are refused before data is read.

    Raises:
        SettingError: naming the first method that does not fit, and what it is for; or several backbones, and a problem
            that is not joint.
        OptionError: both one backbone and several, or not one for each domain; or a recipe that is none.
    """
    if not isinstance(recipe, Recipe | None):
        raise OptionError(f"Expected `recipe` to be a `Recipe(epochs=…)`, but got {recipe!r}.")
    first = sizing_backbone(backbone, backbones)
    check_setting(methods, setting_for(problem))
    if not isinstance(problem, Problem):
        problem = load_problem(problem, Path(data_root) if data_root else None, backbone=first)
    own = () if backbone else problem.backbones
    return replace(
        problem,
        recipe=recipe or problem.recipe,
        backbone=backbone or problem.backbone,
        backbones=tuple(backbones) or own,
    )


def sizing_backbone(backbone: str | None, backbones: Sequence[str]) -> str | None:
    """The one whose inputs decide how images are stored: that of all domains, or the first domain's.

    Raises:
        OptionError: both are given.
    """
    if backbone and backbones:
        raise OptionError(f"Expected `backbone` or `backbones`, but got both ({backbone}, and {listed(backbones)}).")
    return backbone or next(iter(backbones), None)


def setting_for(problem: str | Path | Problem) -> Setting:
    """The setting of a problem or of a built-in problem's name, without reading its data."""
    return problem.setting if isinstance(problem, Problem) else setting_of(str(problem))


def check_setting(methods: Iterable[str], setting: str) -> None:
    """Refuse methods that are not for a setting; needs no data.

    Raises:
        SettingError: naming the first method that does not fit, and what it is for.
        OptionError: an unknown method.
    """
    problems = {entry.name for entry in entries()}
    for name in methods:
        if name.partition(":")[0] in problems or is_problem_file(name):
            raise OptionError(f"Expected names of methods, but got the problem `{name}`. Give it before `--methods`.")
        entry = method_entry(name)
        if entry.setting != str(setting):
            raise SettingError(
                f"`{name}` is for the {entry.setting} setting, but the problem is of the {setting} setting. "
                f"`isthmus methods` lists the methods of each."
            )


def check_startable(methods: Iterable[str], problem: Problem, processes: int) -> None:
    """Build everything once, so that a later method's option fails before an earlier one is trained or a folder made.

    Raises:
        OptionError: an option or a name of a method or of the backbone, inputs or a length of the run that a method
            cannot do with, or a batch that processes cannot share.
        DataError: a domain smaller than a batch, or classes that a method cannot do with.
        SettingError: an oracle, and a problem that gives no labels for it.
    """
    steps = steps_per_epoch(problem) * problem.recipe.epochs
    with torch.random.fork_rng(devices=()):
        backbone = backbone_for(problem)
        counts = tuple(domain.labels.counts for domain in problem.domains if domain.labels)
        plan = Plan(problem.input.shape, problem.recipe.epochs, counts)
        for name in methods:
            method = build_method(name, backbone, *problem.outputs)
            method.check(plan)
            check_stages(method.stages(), steps)
            if method.oracle:
                revealed(problem)
            if not spreads(method, problem, processes):
                steps_per_epoch(problem, processes)
