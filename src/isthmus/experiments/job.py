"""One training run from start, or from where it was killed, to its folder of results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.utils import deterministic

from isthmus.cache import digest
from isthmus.data.problems import Problem
from isthmus.engine.checkpoints import load_checkpoint, save_checkpoint
from isthmus.engine.hardware import Hardware, on_first_process
from isthmus.engine.trainer import Trainer
from isthmus.errors import OptionError
from isthmus.evaluation.examination import examine
from isthmus.experiments.artifacts import Shown, model_of
from isthmus.experiments.folders import CHECKPOINT, LAST, SELECTED, open_folder, write_json
from isthmus.experiments.networks import backbone_for
from isthmus.experiments.record import Record
from isthmus.experiments.results import run_result
from isthmus.methods import Method, build_method
from isthmus.methods.registry import method_files
from isthmus.names import slug
from isthmus.report.results import RESULT, RunRecord, read_run

if TYPE_CHECKING:
    from lightning.fabric import Fabric


@dataclass(frozen=True)
class Job:
    """What decides the outcome of a run, and where it goes.

    Attributes:
        method: a registered name with its options.
        problem: with its recipe and its backbone.
        seed: of initialisation, shuffles, augmentation and dropout.
        conditions: what else must be the same for the run to be continued, as plain data.
        root: output folder, that of `results.json`.
        place: the run's folder inside it.
    """

    method: str
    problem: Problem
    seed: int
    conditions: Mapping[str, Any]
    root: Path
    place: str = "."

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return self.root / self.place

    @property
    def select_by(self) -> str:
        """The label-free score that picks the `selected` epoch."""
        return str(self.conditions["select_by"])

    @cached_property
    def config(self) -> dict[str, Any]:
        """All that must be the same for the run to be continued, with the method's tables as they are at its start."""
        tables = {file: digest([Path(file).read_text(encoding="utf-8")]) for file in method_files(self.method)}
        return {"method": self.method, "seed": self.seed, **self.conditions} | ({"tables": tables} if tables else {})

    def run(self, fabric: Fabric, hardware: Hardware, *, resume: bool = False, overwrite: bool = False) -> RunRecord:
        """Train, examine after epochs, and write the run's folder; with `resume`, a finished run is only read."""
        on_first_process(fabric, lambda: open_folder(self.folder, self.config, resume=resume, overwrite=overwrite))
        if resume and (self.folder / RESULT).is_file():
            return read_run(self.folder, self._remedy)
        with _deterministic():
            try:
                return self._train(fabric, hardware, resume=resume)
            except torch.OutOfMemoryError as error:
                raise OptionError(
                    f"Expected the training of `{self.method}` to fit into the GPU's memory, but it has no more: use "
                    f"`--batch-size` below {self.problem.recipe.batch_size}, or `--precision bf16-mixed`."
                ) from error

    def _train(self, fabric: Fabric, hardware: Hardware, *, resume: bool) -> RunRecord:
        if fabric.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(fabric.device)
        method = self._method()
        trainer = Trainer(
            method,
            self.problem,
            fabric,
            seed=self.seed,
            workers=hardware.workers,
            title=f"{self.method} seed {self.seed}",
        )
        record, shown = Record(), Shown(method, self.problem)
        if resume and (self.folder / CHECKPOINT).is_file():
            state = load_checkpoint(self.folder / CHECKPOINT, self._remedy)
            trainer.load_state_dict(state["trainer"])
            record = Record(**state["record"])
        tensorboard = on_first_process(fabric, lambda: hardware.tensorboard_logger(self.folder))
        recipe = self.problem.recipe
        interval = max(1, round(recipe.epochs / recipe.evaluations))

        def after_epoch(epoch: int, losses: dict[str, float]) -> None:
            due = epoch % interval == 0 or epoch == recipe.epochs
            networks, others = method.predictors(), method.other_classifiers()
            found = examine(networks, self.problem, others=others, precision=fabric.autocast) if due else None
            record.add(epoch, losses, found)
            if due and record.beats_selected(self.select_by):
                record.select(epoch, nn.ModuleList(networks).state_dict())
            if tensorboard is not None:
                tensorboard.log_metrics(record.flat_row(-1), step=epoch)
            state = trainer.state_dict()
            on_first_process(fabric, lambda: self._write_epoch(record, state))

        trainer.run(after_epoch)
        result = run_result(self.method, self.seed, self.problem, trainer, record, self.select_by, self.place)
        on_first_process(fabric, lambda: self._write_end(shown, method, record, result))
        return result

    @property
    def _remedy(self) -> str:
        """What to do about a damaged file of the run, at no cost to others."""
        if self.place == ".":
            return "Start anew with `--overwrite`."
        return f"Delete the folder {self.folder} and use `--resume`: only this run is trained again."

    def _method(self) -> Method[Any]:
        torch.manual_seed(self.seed)
        return build_method(self.method, backbone_for(self.problem), *self.problem.outputs)

    def _write_epoch(self, record: Record, state: dict[str, Any]) -> None:
        record.write(self.folder)
        save_checkpoint(self.folder / CHECKPOINT, {"trainer": state, "record": vars(record)})

    def _write_end(self, shown: Shown, method: Method[Any], record: Record, result: RunRecord) -> None:
        shown.write(self.folder, method)
        self._write_models(method, record)
        write_json(self.folder / RESULT, result)

    def _write_models(self, method: Method[Any], record: Record) -> None:
        """One model a part, in a folder of its domain's name where there are several."""
        networks = method.predictors()
        several = len(networks) > 1
        names = self.problem.built_on[-len(networks) :]  # of the domains that are measured
        for part in (LAST, SELECTED):
            if part == SELECTED:
                nn.ModuleList(networks).load_state_dict(record.selected_weights)
            for network, backbone, (domain, _) in zip(networks, names, self.problem.measured):
                about = self.config | ({"domain": domain.name} if several else {})
                place = self.folder / part / slug(domain.name) if several else self.folder / part
                model_of(network, backbone, domain, self.problem, about).save(place)


@contextmanager
def _deterministic() -> Iterator[None]:
    """Run with deterministic algorithms and give the caller's random state and settings back."""
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    memory: Any = deterministic  # whose one setting types do not know
    filled = memory.fill_uninitialized_memory
    with torch.random.fork_rng():
        torch.use_deterministic_algorithms(True, warn_only=True)
        memory.fill_uninitialized_memory = False  # a twentieth of a step; nothing reads what it has not written
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(before[0], warn_only=before[1])
            memory.fill_uninitialized_memory = filled
