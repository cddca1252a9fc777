"""How unlike each source category and each target category are: costs for optimal transport between predictions."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from isthmus.functional.category_blocks import MEMORY, Categories, CategorySamples, OnProgress, all_pairs
from isthmus.functional.category_mmd import Weights, category_mmd
from isthmus.functional.category_transport import category_transport
from isthmus.functional.kernels import squared_distances
from isthmus.functional.precision import product

Metric = Literal["mkmmd", "mkmmd_quadratic", "ot", "euclidean", "cosine"]
"""MK-MMD by its linear or its quadratic estimate, optimal transport between samples, or a distance of class means."""
LEAST: dict[Metric, int] = {"mkmmd": 2, "mkmmd_quadratic": 2, "ot": 1, "euclidean": 1, "cosine": 1}
"""Samples that every category must have."""


def category_costs(
    source: CategorySamples,
    target: CategorySamples,
    *,
    metric: Metric = "mkmmd",
    weights: Weights = "power",
    kernels: int = 5,
    sharpness: float = 30.0,
    iterations: int = 1000,
    tolerance: float = 1e-4,
    memory: int = MEMORY,
    on_progress: OnProgress | None = None,
) -> Float[Tensor, "classes_s classes_t"]:
    """A number for each pair of categories, from their samples' features: at least zero, the larger the less alike.

    Estimates below zero become zero; the statistics themselves are `category_mmd`'s.

    Source: Lu et al., "Optimal transport for deep joint transfer learning", section 3.4.

    Args:
        source: samples of the source.
        target: samples of the target.
        metric: see `category_mmd`, `category_transport` and `class_mean_distances`.
        weights: of the kernels of MK-MMD.
        kernels: of MK-MMD.
        sharpness: of optimal transport.
        iterations: of optimal transport.
        tolerance: of optimal transport.
        memory: bytes to take beside the arguments and the result; a single pair takes what it needs.
        on_progress: called with the number of pairs finished so far.

    Raises:
        ValueError: a label that is no class, a category with fewer samples than `LEAST`, or an option out of range.

    >>> x, y = torch.tensor([[0.0, 0.0], [2.0, 0.0], [0.0, 5.0]]), torch.tensor([[1.0, 3.0]])
    >>> source, target = CategorySamples(x, torch.tensor([0, 0, 1]), 2), CategorySamples(y, torch.tensor([0]), 1)
    >>> category_costs(source, target, metric="euclidean")
    tensor([[9.],
            [5.]])
    """
    if metric == "mkmmd" or metric == "mkmmd_quadratic":
        costs = category_mmd(
            source,
            target,
            estimate="linear" if metric == "mkmmd" else "quadratic",
            weights=weights,
            kernels=kernels,
            memory=memory,
            on_progress=on_progress,
        )
    elif metric == "ot":
        costs = category_transport(
            source,
            target,
            sharpness=sharpness,
            iterations=iterations,
            tolerance=tolerance,
            memory=memory,
            on_progress=on_progress,
        )
    else:
        costs = class_mean_distances(source, target, metric=metric, memory=memory, on_progress=on_progress)
    return costs.clamp_(min=0)


@torch.no_grad()
def class_mean_distances(
    source: CategorySamples,
    target: CategorySamples,
    *,
    metric: Literal["euclidean", "cosine"],
    memory: int = MEMORY,
    on_progress: OnProgress | None = None,
) -> Float[Tensor, "classes_s classes_t"]:
    r"""Distance of each pair of categories' mean features.

    $$\lVert \mu^s_a - \mu^t_b \rVert^2 \qquad \text{or} \qquad
    1 - \frac{\langle \mu^s_a, \mu^t_b \rangle}{\lVert \mu^s_a \rVert \, \lVert \mu^t_b \rVert}$$

    Arguments are those of `category_costs`. A mean of zero is at right angles to all others.
    """

    def of_block(categories_s: Categories, categories_t: Categories) -> Tensor:
        means = [x.sums / x.counts[:, None] for x in (categories_s, categories_t)]
        if metric == "euclidean":
            return squared_distances(*means)
        first, second = (normalize(mean + categories_s.origin, dim=-1) for mean in means)
        return 1 - product(first, second.mT)

    return all_pairs(
        of_block,
        source,
        target,
        pair_numbers=lambda n, m: 1,
        memory=memory,
        on_progress=on_progress,
    )
