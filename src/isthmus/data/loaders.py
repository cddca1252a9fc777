"""Batches of a problem, step by step.

Every batch is a function of (seed, domain, step) alone: nothing is carried from one to the next, so that a run can be
continued at any step, with any number of workers, and draws what it would have drawn.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from isthmus.data.batches import Labelled, Share, Unlabelled, UnsupervisedBatch
from isthmus.data.inputs import Input
from isthmus.data.problems import Domain, Problem
from isthmus.data.tasks import Setting
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

    def __init__(self, domain: Domain, input: Input) -> None:
        self.domain = domain
        self.input = input

    def __getitem__(self, draw: Draw) -> Labelled | Unlabelled:  # type: ignore[override]
        random = torch.Generator().manual_seed(draw.seed)
        images = self.input.train(self.domain.samples.read(draw.indices, random), random)
        if self.domain.labels is None:
            return Unlabelled(images)
        return Labelled(images, self.domain.labels.values[draw.indices])


def steps_per_epoch(problem: Problem, processes: int = 1) -> int:
    """Full batches of the domain that has fewest, or what the recipe fixes.

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
            raise DataError(
                f"Domain `{domain.name}` has {len(domain.samples)} samples, fewer than a batch of "
                f"{problem.recipe.batch_size}. Use `--batch-size {len(domain.samples)}` or less."
            )
    shortest = min(len(domain.samples) for domain in problem.domains) // problem.recipe.batch_size
    return problem.recipe.steps_per_epoch or shortest


def batches(
    problem: Problem, *, seed: int, start: int, stop: int, share: Share = Share(), workers: int = 0
) -> Iterator[UnsupervisedBatch]:
    """Training batches from step `start` to `stop`.

    Args:
        problem: its domains are drawn from; its exam is never touched.
        seed: of the shuffles and of all augmentation.
        start: first step.
        stop: one past the last step.
        share: this process's part of each batch.
        workers: processes that read ahead, per domain; 0 reads in the training process.
    """
    if problem.setting is not Setting.UNSUPERVISED:
        raise SettingError(f"Problem `{problem.name}` is of the {problem.setting} setting, which has no methods yet.")
    streams = [
        DataLoader(
            DrawnBatches(domain, problem.input),
            batch_size=None,
            sampler=Draws(len(domain.samples), problem.recipe.batch_size, mix(seed, place), start, stop, share),
            num_workers=workers,
            generator=generator(seed),  # else it would draw from the global state, and once more in a resumed run
            pin_memory=torch.cuda.is_available(),
        )
        for place, domain in enumerate(problem.domains)
    ]
    for step, source, target in zip(range(start, stop), *streams):
        yield UnsupervisedBatch(source, target, mix(seed, step, 3), share)


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
