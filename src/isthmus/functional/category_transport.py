r"""Optimal transport between the samples of every source category and of every target category.

$$\gamma_0 = \arg\min_\gamma \langle \gamma, C \rangle + \frac1\lambda \sum_{ij} \gamma_{ij} \log \gamma_{ij}, \qquad
\gamma 1 = p, \quad \gamma^\top 1 = q, \qquad d = \langle \gamma_0, C \rangle$$

Every pair has a cost of its own, where `transport` has one for all.
"""

from __future__ import annotations

import math
import warnings

import torch
from jaxtyping import Float
from torch import Tensor

from isthmus.functional.category_blocks import (
    MEMORY,
    Categories,
    CategorySamples,
    OnProgress,
    all_pairs,
    cross_distances,
)
from isthmus.functional.precision import product
from isthmus.functional.transport import CHUNK, check_options, logarithmic_scalings, marginal_distance, plan_of


@torch.no_grad()
def category_transport(
    source: CategorySamples,
    target: CategorySamples,
    *,
    sharpness: float = 30.0,
    iterations: int = 1000,
    tolerance: float = 1e-4,
    memory: int = MEMORY,
    on_progress: OnProgress | None = None,
) -> Float[Tensor, "classes_s classes_t"]:
    r"""What it costs to turn the samples of one category into those of another, $\langle \gamma_0, C \rangle$.

    All samples of a category have the same mass, and $C_{ij} = \lVert x^s_i - x^t_j \rVert^2$. λ is in units of
    1 / max C of the pair: an entry depends on its two categories alone, and scales with the features' square. Pairs of
    a block stop together, so that `memory` tells within the tolerance.

    Source: Lu et al., "Optimal transport for deep joint transfer learning", eqs. (15) and (16), with the sign of the
    entropy put right.

    Args:
        source: samples of the source.
        target: samples of the target.
        sharpness: λ. The larger, the nearer to the exact distance, and the slower.
        iterations: at most so many; then a warning says that marginals are not met.
        tolerance: stop once the marginals of all pairs of a block are met to this L1 distance.
        memory: bytes to take beside the arguments and the result; a single pair takes what it needs.
        on_progress: called with the number of pairs finished so far.

    Raises:
        ValueError: a label that is no class, a category without samples, or an option out of range.
    """
    check_options(sharpness, iterations)
    unmet = 0.0

    def of_block(categories_s: Categories, categories_t: Categories) -> Tensor:
        nonlocal unmet
        cost = cross_distances(categories_s, categories_t).transpose(1, 2).flatten(0, 1)
        cost = cost.masked_fill_(cost.isinf(), 0.0)
        largest = cost.amax(dim=(1, 2)).clamp(min=torch.finfo(cost.dtype).tiny)
        shape = len(categories_s.counts), len(categories_t.counts)
        p, q = (x.present.to(cost.dtype) / x.counts[:, None] for x in (categories_s, categories_t))
        p, q = p[:, None].expand(*shape, -1).flatten(0, 1), q.expand(*shape, -1).flatten(0, 1)
        plans = _plans(p, q, (cost / largest[:, None, None]).mul_(sharpness), sharpness, iterations, tolerance)
        unmet = max(unmet, float(marginal_distance(plans.sum(dim=1), q).max()))
        return plans.mul_(cost).sum(dim=(1, 2)).view(shape)

    result = all_pairs(
        of_block,
        source,
        target,
        pair_numbers=lambda n, m: 4 * n * m,
        memory=memory,
        on_progress=on_progress,
    )
    if unmet > tolerance > 0:
        warnings.warn(
            f"Optimal transport between categories does not meet its marginals to {tolerance:g} within {iterations} "
            "iterations: lower the sharpness, or raise the iterations or the tolerance.",
            stacklevel=2,
        )
    return result


def _plans(
    p: Float[Tensor, "pairs source"],
    q: Float[Tensor, "pairs target"],
    scaled: Float[Tensor, "pairs source target"],
    largest: float,
    iterations: int,
    tolerance: float,
) -> Float[Tensor, "pairs source target"]:
    """Plans of the costs λC from 0 to `largest`; their rows sum to p. Masses may be zero, as those of padding are.

    From scalings of one, iterations never leave the solution's distance, in the largest difference of logarithms. So
    none exceeds exp(largest) by more than a mass does, and up to a root of the number format's range nothing is lost.
    """
    if largest > math.log(torch.finfo(scaled.dtype).max) / 2:
        return _logarithmic(p, q, scaled, iterations, tolerance)
    kernel = scaled.neg_().exp_()
    u = torch.ones_like(p)
    masses = product(u[:, None], kernel)
    for iteration in range(1, iterations + 1):
        v = q[:, None] / masses
        u = p[:, None] / product(v, kernel.mT)
        masses = product(u, kernel)
        if iteration % CHUNK == 0 and not ((v * masses).sub_(q[:, None]).abs().sum(dim=2) > tolerance).any():
            break
    return kernel.mul_(u.mT).mul_(v)


def _logarithmic(
    p: Float[Tensor, "pairs source"],
    q: Float[Tensor, "pairs target"],
    scaled: Float[Tensor, "pairs source target"],
    iterations: int,
    tolerance: float,
) -> Float[Tensor, "pairs source target"]:
    """Iterations on the logarithms of scalings, for an exponential an entry."""
    f = torch.zeros_like(p)
    for done in range(0, iterations, CHUNK):
        f, g = logarithmic_scalings(p, q, scaled, f, min(CHUNK, iterations - done))
        plans = plan_of(f, g, scaled)
        if not (marginal_distance(plans.sum(dim=1), q) > tolerance).any():
            break
    return plans
