"""Batches of a problem, step by step.

Every batch is a function of (seed, domain, step) alone: nothing is carried from one to the next, so that a run can be
continued at any step, with any number of workers, and draws what it would have drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from isthmus.data.batches import (
    Anchored,
    AssistedBatch,
    DomainBatch,
    FullyLabelled,
    Incomplete,
    InductiveBatch,
    JointBatch,
    Labelled,
    Layout,
    OracleBatch,
    Share,
    Turns,
    Unlabelled,
    UnsupervisedBatch,
)
from isthmus.data.inputs import Input
from isthmus.data.pixelwise import PixelLabels
from isthmus.data.problems import Domain, Problem
from isthmus.data.samples import in_order
from isthmus.data.splits import shuffled
from isthmus.data.tasks import Completion, Setting
from isthmus.errors import DataError, OptionError, SettingError


@dataclass(frozen=True)
class Draw:
    """Which samples make a batch, and the seed of whatever is random about them."""

    indices: Tensor
    seed: int


class Draws(Sampler[Draw]):
    """The draws of one domain from step `start` on: shuffled passes over it, full batches only."""

    def __init__(self, size: int, batch_size: int, seed: int, start: int, stop: int, share: Share) -> None:
        self.size = size
        self.batch_size = batch_size
        self.seed = seed
        self.steps = range(start, stop)
        self.share = share

    def __iter__(self) -> Iterator[Draw]:
        batches, passed = self.size // self.batch_size, -1
        for step in self.steps:
            turn, position = divmod(step, batches)
            if turn != passed:
                order = torch.randperm(self.size, generator=generator(self.seed, turn))
                passed = turn
            batch = order[position * self.batch_size : (position + 1) * self.batch_size]
            yield Draw(batch.tensor_split(self.share.world)[self.share.rank], mix(self.seed, step, self.share.rank, 1))

    def __len__(self) -> int:
        return len(self.steps)


class DrawnBatches(Dataset[Tensor]):
    """Network inputs of a domain by draw; with labels beside them where training may see them."""

    def __init__(self, domain: Domain, input: Input, main: frozenset[str] = frozenset()) -> None:
        self.domain = domain
        self.input = input
        self.main = main

    def __getitem__(self, draw: Draw) -> DomainBatch:  # type: ignore[override]
        random = torch.Generator().manual_seed(draw.seed)
        images = self.input.train(self.domain.samples.read(draw.indices, random), random)
        return _with_labels(self.domain, images, draw.indices, self.main, random)


def steps_per_epoch(problem: Problem, processes: int = 1) -> int:
    """How many steps make an epoch.

    Where a step takes a batch of every domain, as many as the domain that has fewest has full batches; where domains
    take turns, as many as all of them have. Or what the recipe fixes, for every turn.

    Raises:
        DataError: a domain is smaller than a batch.
        OptionError: the processes cannot share a batch evenly.
    """
    if problem.recipe.batch_size % processes:
        raise OptionError(
            f"Expected a batch size that {processes} processes can share evenly, but got {problem.recipe.batch_size}. "
            f"Use `--batch-size {problem.recipe.batch_size // processes * processes or processes}`."
        )
    for domain in problem.domains:
        if len(domain.samples) < problem.recipe.batch_size:
            remedy = f"Use `--batch-size {len(domain.samples)}` or less." if len(domain.samples) > 1 else "Add samples."
            raise DataError(
                f"Domain `{domain.name}` has {len(domain.samples)} samples, fewer than a batch of "
                f"{problem.recipe.batch_size}. {remedy}"
            )
    turns = turns_per_epoch(problem)
    return sum(turns) if problem.setting is Setting.JOINT else min(turns)


def batches(
    problem: Problem,
    *,
    seed: int,
    start: int,
    stop: int,
    share: Share = Share(),
    workers: int = 0,
    turns: Turns = "epoch",
    places: Collection[int] | None = None,
    oracle: bool = False,
) -> Iterator[Any]:
    """Training batches of the problem's setting from step `start` to `stop`.

    Of a joint problem, those of the domains that this process trains on.

    Args:
        problem: its domains are drawn from; its exam is never touched.
        seed: of the shuffles and of all augmentation.
        start: first step.
        stop: one past the last step.
        share: this process's part of each batch.
        workers: processes that read ahead, per domain; 0 reads in the training process.
        turns: how the domains of a joint problem take turns.
        places: of the domains of a joint problem that batches are wanted of; all by default.
        oracle: whether the target comes with main labels, as the problem gives them for that.
    """
    domains = revealed(problem) if oracle else problem.domains

    def stream(place: int, steps: range) -> Iterator[DomainBatch]:
        domain = domains[place]
        draws = Draws(len(domain.samples), problem.recipe.batch_size, mix(seed, place), steps.start, steps.stop, share)
        loader = DataLoader(
            DrawnBatches(domain, problem.input, main=_main(problem)),
            batch_size=None,
            sampler=draws,
            num_workers=workers,
            generator=generator(seed),  # else it would draw from the global state, and once more in a resumed run
        )
        return iter(loader)

    steps = range(start, stop)
    if problem.setting is Setting.JOINT:
        yield from _in_turn(_order(turns_per_epoch(problem), turns), steps, places, stream)
        return
    for step, source, target in zip(steps, *(stream(place, steps) for place in range(len(problem.domains)))):
        if problem.setting is Setting.INDUCTIVE:
            yield InductiveBatch(source, target)
        elif problem.setting is Setting.ASSISTED:
            yield (OracleBatch if oracle else AssistedBatch)(source, target)
        else:
            yield UnsupervisedBatch(source, target, mix(seed, step, 3), share)


def look(problem: Problem, place: int, layout: Layout) -> Iterator[DomainBatch]:
    """All training samples of the domain at `place` as prediction sees them, in one random order."""
    domain, main = problem.domains[place], _main(problem)
    random = torch.Generator().manual_seed(0)
    for indices, stored in in_order(domain.samples, shuffled(len(domain.samples))):
        yield _with_labels(domain, problem.input.evaluate(stored), indices, main, random).to(layout)


def turns_per_epoch(problem: Problem) -> list[int]:
    """How many steps of an epoch each domain has a batch in."""
    recipe = problem.recipe
    return [recipe.steps_per_epoch or len(domain.samples) // recipe.batch_size for domain in problem.domains]


def steps_of(problem: Problem, turns: Turns, places: Collection[int]) -> Sequence[int]:
    """The steps of an epoch in which the domains at some places have their turn: all, unless the problem is joint."""
    if problem.setting is not Setting.JOINT:
        return range(steps_per_epoch(problem))
    return [step for step, place in enumerate(_order(turns_per_epoch(problem), turns)) if place in places]


def _in_turn(
    order: list[int],
    steps: range,
    wanted: Collection[int] | None,
    stream: Callable[[int, range], Iterator[DomainBatch]],
) -> Iterator[JointBatch]:
    """Domains in the order of an epoch's steps, one a step, epoch after epoch; steps of others are left out."""

    def taken(place: int, before: int) -> int:
        """How many batches of a domain stand before a step."""
        epochs, offset = divmod(before, len(order))
        return epochs * order.count(place) + order[:offset].count(place)

    places = [place for place in sorted(set(order)) if wanted is None or place in wanted]
    streams = {place: stream(place, range(taken(place, steps.start), taken(place, steps.stop))) for place in places}
    for step in steps:
        if (place := order[step % len(order)]) in streams:
            yield JointBatch(place, next(streams[place]))


def _order(turns: list[int], by: Turns) -> list[int]:
    """Which domain each step of an epoch belongs to."""
    if by == "epoch":
        return [place for place, count in enumerate(turns) for _ in range(count)]
    when = [((turn + 0.5) / count, place) for place, count in enumerate(turns) for turn in range(count)]
    return [place for _, place in sorted(when)]


def _main(problem: Problem) -> frozenset[str]:
    """Names of the main tasks of a problem of pixel-wise tasks."""
    return frozenset(task.name for task in problem.tasks.main)


def revealed(problem: Problem) -> tuple[Domain, ...]:
    """The domains, the target with the main labels that the problem gives for an oracle.

    Raises:
        SettingError: it gives none.
    """
    target = problem.target
    if problem.oracle is None or target.pixels is None:
        raise SettingError(
            f"An oracle trains on the target's main labels, but problem `{problem.name}` gives none for it. "
            f"Leave the method out, or give them as `oracle` of the problem."
        )
    return (problem.source, replace(target, pixels=PixelLabels({**problem.oracle.values, **target.pixels.values})))


def _with_labels(
    domain: Domain, images: Tensor, indices: Tensor, main: frozenset[str], random: torch.Generator
) -> DomainBatch:
    """What training sees of a domain's images: their labels or, to complete them, holes at random."""
    if isinstance(domain.task, Completion):
        return Incomplete(domain.task.cut(images, random), images)
    if domain.pixels is not None:
        labels = domain.pixels.rows(indices)
        anchors = {task: values for task, values in labels.items() if task not in main}
        if len(anchors) == len(labels):
            return Anchored(images, anchors)
        return FullyLabelled(images, {task: labels[task] for task in labels if task in main}, anchors)
    return Unlabelled(images) if domain.labels is None else Labelled(images, domain.labels.values[indices])


def mix(*numbers: int) -> int:
    """One seed from several, well apart for neighbouring ones.

    >>> mix(0, 1) != mix(1, 0)
    True
    """
    state = 0x9E3779B97F4A7C15
    for number in numbers:  # the finaliser of splitmix64, once a number
        state = (state ^ (number + 0x9E3779B97F4A7C15)) & 0xFFFFFFFFFFFFFFFF
        state = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9 & 0xFFFFFFFFFFFFFFFF
        state = (state ^ (state >> 27)) * 0x94D049BB133111EB & 0xFFFFFFFFFFFFFFFF
        state ^= state >> 31
    return state >> 1


def generator(*numbers: int) -> torch.Generator:
    """A generator seeded by several numbers."""
    return torch.Generator().manual_seed(mix(*numbers))
