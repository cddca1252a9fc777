"""One method trained on one problem."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from isthmus.data.benchmarks import load_problem, setting_of
from isthmus.data.problems import Problem
from isthmus.data.recipes import Recipe
from isthmus.data.samples import Samples
from isthmus.engine.checkpoints import load_checkpoint, save_checkpoint, write_atomically
from isthmus.engine.hardware import Hardware
from isthmus.engine.trainer import Trainer
from isthmus.errors import SettingError
from isthmus.evaluation.examination import examine
from isthmus.evaluation.models import Model, load_model
from isthmus.evaluation.views import Views
from isthmus.experiments.folders import open_folder, read_json, write_json
from isthmus.experiments.record import Record
from isthmus.experiments.results import problem_description, run_result, write_results
from isthmus.methods import build_method
from isthmus.methods.registry import method_entry
from isthmus.nn.backbones import build_backbone
from isthmus.nn.classifiers import Classifier
from isthmus.selection.scores import get_score

if TYPE_CHECKING:
    import numpy as np
    from lightning.fabric import Fabric

CHECKPOINT, RESULT, VIEWS, LAST, SELECTED = "checkpoint.pt", "result.json", "views.npz", "last", "selected"


@dataclass(frozen=True)
class Run:
    """A finished training run, on disk.

    Attributes:
        folder: `result.json`, `history.json`, `metrics.csv`, and the models of the `last` and `selected` epoch.
        result: the run's entry of `results.json`.
    """

    folder: Path
    result: dict[str, Any]

    @property
    def model(self) -> Model:
        """The model of the last epoch."""
        return load_model(self.folder / LAST)

    def predict(self, samples: Samples) -> torch.Tensor:
        """Class probabilities of stored samples, (samples, classes)."""
        return self.model.predict(samples)

    def save(self, folder: str | Path) -> None:
        """Copy the last epoch's model: two files, all that prediction needs."""
        shutil.copytree(self.folder / LAST, folder, dirs_exist_ok=True)

    def report(self) -> Path:
        """Write `report.html` into the run's folder."""
        from isthmus.report.html import write_report

        return write_report(self.folder)


def fit(
    method: str,
    problem: str | Problem = "digits-photo",
    *,
    out: str | Path | None = None,
    seed: int = 0,
    recipe: Recipe | None = None,
    backbone: str | None = None,
    select_by: str = "information_maximisation",
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
        select_by: label-free score that picks the `selected` epoch.
        data_root: where benchmark data lies; `ISTHMUS_DATA` by default.
        hardware: devices, processes and precision.
        resume: continue a killed run exactly.
        overwrite: replace what is in `out`.

    Raises:
        IsthmusError: one of its kinds, before training wherever possible; what is already computed stays.
    """
    get_score(select_by)
    problem = resolve([method], problem, data_root, recipe, backbone)
    folder = Path(out) if out else Path("isthmus-out", "fit", slug(problem.name), f"{slug(method)}-seed{seed}")
    fabric = hardware.fabric()
    with deterministic():
        run = train_one(method, problem, folder, fabric, hardware, seed, select_by, resume=resume, overwrite=overwrite)
    if fabric.is_global_zero:
        write_results(folder, problem, [{**run.result, "folder": "."}])
        run.report()
    return run


def resolve(
    methods: Iterable[str],
    problem: str | Problem,
    data_root: str | Path | None,
    recipe: Recipe | None,
    backbone: str | None,
) -> Problem:
    """The problem, with what the caller replaces of it; methods of another setting are refused before data is read.

    Raises:
        SettingError: naming the first method that does not fit, and what it is for.
    """
    check_setting(methods, setting_of(problem) if isinstance(problem, str) else problem.setting)
    if isinstance(problem, str):
        problem = load_problem(problem, Path(data_root) if data_root else None)
    return replace(problem, recipe=recipe or problem.recipe, backbone=backbone or problem.backbone)


def check_setting(methods: Iterable[str], setting: str) -> None:
    """Refuse methods that are not for a setting; needs no data.

    Raises:
        SettingError: naming the first method that does not fit, and what it is for.
    """
    for name in methods:
        entry = method_entry(name)
        if entry.setting != str(setting):
            raise SettingError(
                f"`{name}` is for the {entry.setting} setting, but the problem is of the {setting} setting. "
                f"`isthmus methods` lists the methods of each."
            )


def train_one(
    name: str,
    problem: Problem,
    folder: Path,
    fabric: Fabric,
    hardware: Hardware,
    seed: int,
    select_by: str,
    *,
    resume: bool,
    overwrite: bool,
) -> Run:
    """Train, examine after epochs, and write the run's folder; a finished run is only read on `resume`."""
    config = {
        "method": name,
        "seed": seed,
        "problem": problem_description(problem),
        "select_by": select_by,
        "precision": hardware.precision,
    }
    if fabric.is_global_zero:
        open_folder(folder, config, resume=resume, overwrite=overwrite)
    fabric.barrier()
    if resume and (folder / RESULT).is_file():
        return Run(folder, read_json(folder / RESULT))

    torch.manual_seed(seed)
    backbone = build_backbone(problem.backbone, problem.input.shape, batch_norm=problem.recipe.batch_norm)
    method = build_method(name, backbone, problem.task.num_classes)
    trainer = Trainer(method, problem, fabric, seed=seed, workers=hardware.workers, title=f"{name} seed {seed}")
    record, views = Record(), Views(problem)
    before = {domain: torch.from_numpy(points) for domain, points in views.embed(method).items()}
    if resume and (folder / CHECKPOINT).is_file():
        state = load_checkpoint(folder / CHECKPOINT)
        trainer.load_state_dict(state["trainer"])
        record = Record(**state["record"])
    tensorboard = hardware.tensorboard_logger(folder)
    epochs = problem.recipe.epochs
    interval = max(1, round(epochs / problem.recipe.evaluations))

    def after_epoch(epoch: int, losses: dict[str, float]) -> None:
        due = epoch % interval == 0 or epoch == epochs
        record.add(epoch, losses, examine(method, problem, precision=fabric.autocast) if due else None)
        if due and record.beats_selected(select_by):
            record.select(epoch, method.predictor().state_dict())
        if fabric.is_global_zero:
            record.write(folder)
            if tensorboard is not None:
                tensorboard.log_metrics(record.flat_row(-1), step=epoch)
            save_checkpoint(folder / CHECKPOINT, {"trainer": trainer.state_dict(), "record": vars(record)})

    trainer.run(after_epoch)
    result = run_result(name, seed, problem, trainer, record, select_by)
    if fabric.is_global_zero:
        after = views.embed(method)
        arrays = {f"{domain}_before": points.numpy() for domain, points in before.items()}
        arrays |= {f"{domain}_after": points for domain, points in after.items()}
        write_views(folder / VIEWS, arrays | views.labels() | views.predictions(method))
        write_models(folder, method.predictor(), problem, record, config)
        write_json(folder / RESULT, result)
    fabric.barrier()
    return Run(folder, result)


def write_views(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write what the report shows of a run."""
    import numpy as np

    def write(part: Path) -> None:
        with part.open("wb") as file:
            np.savez_compressed(file, **arrays)

    write_atomically(path, write)


def write_models(folder: Path, network: Classifier, problem: Problem, record: Record, config: dict[str, Any]) -> None:
    """Save the last epoch's model and the selected one's."""
    model = Model(network, problem.backbone, problem.task.classes, problem.input, config)
    model.save(folder / LAST)
    network.load_state_dict(record.selected_weights)
    model.save(folder / SELECTED)


@contextmanager
def deterministic() -> Iterator[None]:
    """Run with deterministic algorithms and give the caller's random state and settings back."""
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    with torch.random.fork_rng():
        torch.use_deterministic_algorithms(True, warn_only=True)
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(before[0], warn_only=before[1])


def slug(name: str) -> str:
    """A name as part of a path.

    >>> slug("dann:hidden=512")
    'dann_hidden_512'
    """
    return "".join(c if c.isalnum() or c in "-_.+" else "_" for c in name)
