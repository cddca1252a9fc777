"""All pairs of a source category and a target category, a block at a time within a bound on memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from isthmus.functional.precision import product

MEMORY = 2**26
"""Bytes that a block takes unless told otherwise. Small blocks stay near the processor."""

OnProgress = Callable[[int], None]
"""Called with the number of pairs that are finished."""


@dataclass(frozen=True)
class CategorySamples:
    """Samples of all categories of one domain, in any order.

    Attributes:
        features: without gradient.
        labels: the category of each sample, from 0.
        classes: how many categories there are.
    """

    features: Float[Tensor, "samples features"]
    labels: Int[Tensor, " samples"]
    classes: int


@dataclass(frozen=True)
class Categories:
    """Samples of a few categories of one domain, padded to the number that the largest of them has.

    Attributes:
        counts: how many samples each has.
        samples: with the origin removed, and zeros where there is none.
        present: where there is a sample.
        origin: a point near all samples. Distances know none, and a near one leaves little to round away.
    """

    counts: Int[Tensor, " classes"]
    samples: Float[Tensor, "classes most features"]
    present: Bool[Tensor, "classes most"]
    origin: Float[Tensor, " features"]

    @cached_property
    def sums(self) -> Float[Tensor, "classes features"]:
        """Sum of each category's samples."""
        return self.samples.sum(dim=1)

    @cached_property
    def norms(self) -> Float[Tensor, "classes most"]:
        """Squared norm of each sample."""
        norms: Tensor = torch.linalg.vector_norm(self.samples, dim=-1)
        return norms.square()

    @cached_property
    def neighbours(self) -> Float[Tensor, "classes half"]:
        """Squared distance of a category's first sample to its second, of its third to its fourth, and so on."""
        used = self.samples.shape[1] // 2 * 2
        # One by one, because differences of all at once take half as much memory as the samples.
        apart = [torch.linalg.vector_norm(x[0:used:2] - x[1:used:2], dim=-1) for x in self.samples]
        return torch.stack(apart).square()

    @cached_property
    def distances(self) -> Float[Tensor, "classes pairs"]:
        """Squared distance of every two different samples of a category, infinite where one is padding."""
        most = self.samples.shape[1]
        first, second = torch.triu_indices(most, most, offset=1, device=self.samples.device)
        norms = self.norms.masked_fill(~self.present, torch.inf)
        squares = norms[:, first] + norms[:, second] - 2 * product(self.samples, self.samples.mT)[:, first, second]
        return squares.clamp_(min=0)  # equal samples may be a rounding error apart, to either side of zero


def cross_distances(source: Categories, target: Categories) -> Float[Tensor, "classes_s most_s classes_t most_t"]:
    """Squared distance of every source sample to every target sample, infinite where one is padding."""
    norms_s, norms_t = (x.norms.masked_fill(~x.present, torch.inf) for x in (source, target))
    products = product(source.samples.flatten(0, 1), target.samples.flatten(0, 1).mT)
    squares = products.view(*norms_s.shape, *norms_t.shape).mul_(-2).add_(norms_s[..., None, None]).add_(norms_t)
    return squares.clamp_(min=0)  # as within a category


def all_pairs(
    of_block: Callable[[Categories, Categories], Tensor],
    source: CategorySamples,
    target: CategorySamples,
    *,
    pair_numbers: Callable[[int, int], int],
    least: int = 1,
    memory: int = MEMORY,
    on_progress: OnProgress | None = None,
) -> Float[Tensor, "classes_s classes_t"]:
    """One number for every pair of a source category and a target category.

    Categories of like numbers of samples share a block, so that there is little to pad.

    Args:
        of_block: the numbers of all pairs of the given source categories with the given target categories.
        source: samples of the source.
        target: samples of the target.
        pair_numbers: how many numbers `of_block` holds at once for a pair of n and of m samples, beside the samples.
        least: samples that every category must have.
        memory: bytes that a block may take, its samples included; one of a single pair takes what it needs.
        on_progress: called after each block with the number of pairs finished so far.

    Raises:
        ValueError: a label that is no class, or a category with too few samples.
    """
    counts_s, counts_t = _counts(source, least, "source"), _counts(target, least, "target")
    dtype = torch.promote_types(torch.promote_types(source.features.dtype, target.features.dtype), torch.float32)
    origin = target.features.mean(dim=0, dtype=dtype)
    result = origin.new_empty(source.classes, target.classes)
    budget, width, done = memory // dtype.itemsize, len(origin), 0
    for chosen_t in _chunks(counts_t, lambda m: m * width + pair_numbers(max(counts_s), m), 2 * budget // 3):
        categories_t = _gathered(target, chosen_t, origin)
        chunk, most = categories_t.present.shape

        def numbers(n: int, chunk: int = chunk, most: int = most) -> int:
            return n * width + chunk * pair_numbers(n, most)

        for chosen_s in _chunks(counts_s, numbers, budget // 3):
            block = of_block(_gathered(source, chosen_s, origin), categories_t)
            result[torch.tensor(chosen_s)[:, None], torch.tensor(chosen_t)] = block
            done += block.numel()
            if on_progress is not None:
                on_progress(done)
    return result


def _counts(samples: CategorySamples, least: int, domain: str) -> list[int]:
    """How many samples each category has."""
    labels, classes = samples.labels, samples.classes
    if len(labels) and not 0 <= labels.min() <= labels.max() < classes:
        raise ValueError(
            f"expected {domain} labels from 0 to {classes - 1}, but got {labels.min()} to {labels.max()}: give the "
            "number of classes that the labels have"
        )
    counts: list[int] = labels.bincount(minlength=classes).tolist()
    few = [label for label, count in enumerate(counts) if count < least]
    if few:
        raise ValueError(
            f"expected at least {least} samples of each {domain} class, but got {counts[few[0]]} of class {few[0]}"
            + (f" and too few of {len(few) - 1} more" if len(few) > 1 else "")
            + ": add samples, leave the class out, or choose another metric"
        )
    return counts


def _chunks(counts: list[int], numbers: Callable[[int], int], budget: int) -> Iterator[list[int]]:
    """Classes by falling count, as many at a time as have room for `numbers` of the largest count of them each."""
    order = sorted(range(len(counts)), key=counts.__getitem__, reverse=True)
    while order:
        size = max(1, budget // numbers(counts[order[0]]))
        yield order[:size]
        order = order[size:]


def _gathered(samples: CategorySamples, chosen: list[int], origin: Tensor) -> Categories:
    rows = [torch.nonzero(samples.labels == label).flatten() for label in chosen]
    index = pad_sequence(rows, batch_first=True, padding_value=-1)
    present = index >= 0
    gathered = samples.features.index_select(0, index.clamp(min=0).flatten()).to(origin.dtype).sub_(origin)
    gathered.index_fill_(0, (~present).flatten().nonzero().flatten(), 0.0)
    return Categories(present.sum(dim=1), gathered.view(*present.shape, -1), present, origin)
