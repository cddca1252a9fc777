r"""Optimal transport between the samples of every source category and of every target category.

$$\gamma_0 = \arg\min_\gamma \langle \gamma, C \rangle + \frac1\lambda \sum_{ij} \gamma_{ij} \log \gamma_{ij}, \qquad
\gamma 1 = p, \quad \gamma^\top 1 = q, \qquad d = \langle \gamma_0, C \rangle$$

Every pair has a cost of its own, where `transport` has one for all.
"""

from __future__ import annotations

import math
import warnings

import torch
from jaxtyping import Float, Int
from torch import Tensor

from isthmus.functional.category_blocks import MEMORY, Categories, OnProgress, all_pairs, cross_distances
from isthmus.functional.precision import product

CHUNK = 10
"""Iterations between two looks at the marginals."""


@torch.no_grad()
def category_transport(
    features_s: Float[Tensor, "source features"],
    labels_s: Int[Tensor, " source"],
    features_t: Float[Tensor, "target features"],
    labels_t: Int[Tensor, " target"],
    *,
    classes_s: int,
    classes_t: int,
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
        features_s: samples of the source, without gradient.
        labels_s: the category of each, from 0.
        features_t: likewise of the target.
        labels_t: likewise of the target.
        classes_s: number of source categories.
        classes_t: number of target categories.
        sharpness: λ. The larger, the nearer to the exact distance, and the slower.
        iterations: at most so many; then a warning says that marginals are not met.
        tolerance: stop once the marginals of all pairs of a block are met to this L1 distance.
        memory: bytes to take beside the arguments and the result; a single pair takes what it needs.
        on_progress: called with the number of pairs finished so far.

    Raises:
        ValueError: a label that is no class, a category without samples, or an option out of range.
    """
    if not 0 < sharpness < math.inf:
        raise ValueError(f"sharpness is {sharpness}: give a positive number")
    if iterations < 1:
        raise ValueError(f"iterations is {iterations}: give 1 at least")
    unmet = 0.0

    def of_block(source: Categories, target: Categories) -> Tensor:
        nonlocal unmet
        cost = cross_distances(source, target).transpose(1, 2).flatten(0, 1)
        cost = cost.masked_fill_(cost.isinf(), 0.0).clamp_(min=0)
        largest = cost.amax(dim=(1, 2)).clamp(min=torch.finfo(cost.dtype).tiny)
        shape = len(source.counts), len(target.counts)
        p, q = (x.present.to(cost.dtype) / x.counts[:, None] for x in (source, target))
        p, q = p[:, None].expand(*shape, -1).flatten(0, 1), q.expand(*shape, -1).flatten(0, 1)
        plans = _plans(p, q, (cost / largest[:, None, None]).mul_(sharpness), sharpness, iterations, tolerance)
        unmet = max(unmet, float((plans.sum(dim=1) - q).abs().sum(dim=1).max()))
        return plans.mul_(cost).sum(dim=(1, 2)).view(shape)

    result = all_pairs(
        of_block,
        features_s,
        labels_s,
        features_t,
        labels_t,
        classes_s=classes_s,
        classes_t=classes_t,
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
    log_p, log_q, f = p.log(), q.log(), torch.zeros_like(p)
    for iteration in range(1, iterations + 1):
        g = log_q - (f[:, :, None] - scaled).logsumexp(1)
        f = log_p - (g[:, None] - scaled).logsumexp(2)
        if iteration % CHUNK == 0 or iteration == iterations:
            plans = (f[:, :, None] - scaled).add_(g[:, None]).exp_()
            if not ((plans.sum(dim=1) - q).abs().sum(dim=1) > tolerance).any():
                break
    return plans
