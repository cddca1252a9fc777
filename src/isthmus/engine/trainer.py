"""The training loop."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch

from isthmus.data.batches import DomainBatch, Layout
from isthmus.data.loaders import batches, look, mix, steps_of, steps_per_epoch
from isthmus.data.problems import Problem
from isthmus.engine.meters import Meter, means
from isthmus.engine.parts import Part, part_of
from isthmus.engine.stepping import Stepper
from isthmus.errors import DivergenceError, OptionError
from isthmus.methods.base import Method, Stage
from isthmus.nn.batch_norm import synchronise_batch_norm
from isthmus.progress import progress_bar

if TYPE_CHECKING:
    from lightning.fabric import Fabric
    from rich.progress import Progress

AfterEpoch = Callable[[int, dict[str, float]], None]
"""Called with the number of finished epochs and the epoch's mean losses by name."""


class Trainer:
    """Trains a method on a problem's domains.

    The random state of an epoch is a function of seed, epoch and process, and so is every batch: with weights,
    optimisers and the number of epochs done, a run continues bit for bit. Independent networks have random states of
    their own, so that a run is the same bit for bit over how many processes they are spread.

    Args:
        method: what is trained; moved to the device.
        problem: whose domains it is trained on, by whose recipe.
        fabric: a launched Fabric.
        seed: of shuffles, augmentation and dropout.
        workers: processes that read ahead, per domain.
        title: what the progress bar says.
    """

    def __init__(
        self, method: Method[Any], problem: Problem, fabric: Fabric, *, seed: int, workers: int = 0, title: str = ""
    ) -> None:
        self.problem = problem
        self.fabric = fabric
        self.seed = seed
        self.workers = workers
        self.title = title
        self.epoch = 0
        self.seconds = 0.0
        self.part: Part = part_of(method, problem, fabric)
        self.steps_per_epoch = steps_per_epoch(problem, self.part.share.world)
        self.steps = self.steps_per_epoch * problem.recipe.epochs
        if self.part.share.world > 1:
            synchronise_batch_norm(method)
        double = fabric.strategy.precision.precision == "64-true"
        self.layout = Layout(
            fabric.device, torch.float64 if double else torch.float32, channels_last=method.convolutional
        )
        self.method = method.to(self.layout.device, self.layout.dtype)
        if self.layout.channels_last:
            self.method.to(memory_format=torch.channels_last)
        self.stages = method.stages()
        check_stages(self.stages, self.steps)
        self._enter(self._stage_at(0))

    def run(self, after_epoch: AfterEpoch) -> None:
        """Train from the current epoch to the last.

        Raises:
            DivergenceError: an epoch's mean loss is not finite, or a weight after it.
        """
        stream = batches(
            self.problem,
            seed=self.seed,
            start=self.epoch * self.steps_per_epoch,
            stop=self.steps,
            share=self.part.share,
            workers=self.workers,
            turns=self.method.turns,
            places=self.part.domains,
            oracle=self.method.oracle,
        )
        own = steps_of(self.problem, self.method.turns, self.part.domains)
        if self.epoch == 0:
            _begin(self.stage)
        with progress_bar() as progress:
            total, done = (epochs * len(own) for epochs in (self.problem.recipe.epochs, self.epoch))
            bar = progress.add_task(self.title, total=total, completed=done, status="")
            survey = _Survey(self.problem, self.layout, progress, self.part.domains)
            while self.epoch < self.problem.recipe.epochs:
                self._set_random_state()
                started = time.perf_counter()
                self.method.before_epoch(self.epoch, self.epoch / self.problem.recipe.epochs, survey)
                self._set_modes()
                meter = Meter()
                with self.part.company():
                    for offset, batch in zip(own, stream):
                        if self.method.independent and batch.domain != meter.turn:
                            meter.turn = batch.domain
                            self._set_random_state(batch.domain)
                        self._step(batch, self.epoch * self.steps_per_epoch + offset, meter)
                        progress.advance(bar)
                self.part.exchange(self.method)
                self.epoch += 1
                losses = means(self.part.summed(meter.sums()))
                self.seconds += time.perf_counter() - started
                self._check_finite(losses)
                progress.update(bar, status=" ".join(f"{name} {value:.3f}" for name, value in losses.items()))
                after_epoch(self.epoch, losses)

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next epoch depends on. All processes must ask for it."""
        return {
            "epoch": self.epoch,
            "seconds": self.seconds,
            "method": self.method.state_dict(),
            "steppers": self.part.collected(self.stepper.state_dict()),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a `state_dict`."""
        self.epoch = state["epoch"]
        self.seconds = state["seconds"]
        self.method.load_state_dict(state["method"])
        # The last step taken decides the stage: the next one may open a new stage, with an optimiser of its own.
        self._enter(self._stage_at(max(self.epoch * self.steps_per_epoch - 1, 0)))
        self.stepper.load_state_dict(self.part.taken(state["steppers"]))

    def _set_random_state(self, *part: int) -> None:
        torch.manual_seed(mix(self.seed, self.epoch, self.part.share.rank, 2, *part))

    def _step(self, batch: Any, step: int, meter: Meter) -> None:
        stage = self._stage_at(step)
        if stage is not self.stage:
            _begin(stage)
            self._enter(stage)
        start = max((other.until for other in self.stages if other.until < stage.until), default=0.0)
        progress = (step / self.steps - start) / (stage.until - start)
        self.stepper.schedule(progress, stage.lr_factor)
        updates = stage.steps(batch.to(self.layout), progress)
        while True:
            with self.fabric.autocast():
                update = next(updates, None)
            if update is None:
                break
            self.stepper.step(update)
            meter.add(update.log)

    def _stage_at(self, step: int) -> Stage[Any]:
        return next((stage for stage in self.stages if step / self.steps < stage.until), self.stages[-1])

    def _enter(self, stage: Stage[Any]) -> None:
        self.stage = stage
        for name, group in self.method.groups().items():
            group.requires_grad_(name not in stage.frozen)
        left = (*stage.frozen, *self.part.elsewhere)
        processes = self.part.share.world
        self.stepper = Stepper(self.method, left, self.problem.recipe, self.fabric, processes=processes)
        self._set_modes()

    def _set_modes(self) -> None:
        self.method.train()
        for name in self.stage.frozen:
            self.method.groups()[name].eval()

    def _check_finite(self, losses: dict[str, float]) -> None:
        broken = [name for name, value in losses.items() if not math.isfinite(value)]
        if not broken and not torch.stack(torch._foreach_norm(list(self.method.parameters()))).isfinite().all():
            broken = ["weights"]  # which the epoch's last step can do: no loss has seen them yet
        if broken:
            raise DivergenceError(
                f"Training diverged in epoch {self.epoch}: {', '.join(broken)} became NaN or infinite. "
                f"Use a smaller `--lr` (now {self.problem.recipe.lr:g}) or set `--clip-norm 1`."
            )


def check_stages(stages: Iterable[Stage[Any]], steps: int) -> None:
    """Refuse a run too short for one of its stages.

    Raises:
        OptionError: naming the stage.
    """
    start = 0
    for stage in stages:
        end = math.ceil(stage.until * steps)
        if start >= end:
            raise OptionError(
                f"Expected a step in each stage of training, but stage `{stage.name}`, until {stage.until:g} of the "
                f"run, gets none of {steps}. Use more `--epochs`, or let the stages end elsewhere."
            )
        start = end


def _begin(stage: Stage[Any]) -> None:
    if stage.begin is not None:
        stage.begin()


@dataclass(frozen=True)
class _Survey:
    """What a method may ask for between epochs; see `methods.base.Survey`."""

    problem: Problem
    layout: Layout
    progress: Progress
    domains: tuple[int, ...]

    def samples(self, domain: int) -> Iterator[DomainBatch]:
        return look(self.problem, domain, self.layout)

    def track(self, title: str, total: int) -> Callable[[int], None]:
        task = self.progress.add_task(title, total=total, status="")

        def show(done: int) -> None:
            self.progress.update(task, completed=done)
            if done >= total:
                self.progress.remove_task(task)

        return show
