r"""Maximum mean discrepancy between every source category and every target category, with weighted kernels.

The kernels are Gaussian, $\exp(-\lVert x - y \rVert^2 / \gamma_u)$, on a ladder of bandwidths a factor of two apart. In
its middle stands the mean squared distance of the pair's samples, so that an entry depends on its two categories alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

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
from isthmus.functional.kernel_power import kernel_weights
from isthmus.functional.precision import product

PairEstimate = Literal["linear", "quadratic"]
"""Unbiased, from as many pairs of samples as there are samples, or from all."""

Weights = Literal["power", "uniform"]
"""Weights of the kernels: those of the most powerful test, see `kernel_weights`, or all equal."""


@torch.no_grad()
def category_mmd(
    source: CategorySamples,
    target: CategorySamples,
    *,
    estimate: PairEstimate = "linear",
    weights: Weights = "power",
    kernels: int = 5,
    memory: int = MEMORY,
    on_progress: OnProgress | None = None,
) -> Float[Tensor, "classes_s classes_t"]:
    r"""Squared MK-MMD of each pair of categories, unbiased, and so below zero at times.

    $$d_k^2 = \frac2n \sum_{i=1}^{n/2} g_k(z_i), \qquad
    g_k(z_i) = k(x^s_{2i-1}, x^s_{2i}) + k(x^t_{2i-1}, x^t_{2i}) - k(x^s_{2i-1}, x^t_{2i}) - k(x^s_{2i}, x^t_{2i-1}),
    \qquad k = \sum_u \beta_u k_u, \quad \sum_u \beta_u = 1$$

    The linear estimate takes samples in the order given, and as many of a category as its partner has; the quadratic
    one is the mean over all pairs of different samples. For both, the weights of power come from the mean and
    covariance of the linear estimate's terms under each kernel. With uniform weights, an entry is `mmd` of the pair
    divided by the number of kernels.

    Source: Lu et al., "Optimal transport for deep joint transfer learning", eqs. (12) to (14).

    Args:
        source: samples of the source.
        target: samples of the target.
        estimate: linear or quadratic in the number of samples.
        weights: of the kernels.
        kernels: how many.
        memory: bytes to take beside the arguments and the result; a single pair takes what it needs.
        on_progress: called with the number of pairs finished so far.

    Raises:
        ValueError: a label that is no class, or a category of fewer than two samples.
    """
    linear = estimate == "linear"

    def of_block(categories_s: Categories, categories_t: Categories) -> Tensor:
        scales = _bandwidths(categories_s, categories_t)
        beta = torch.full_like(scales, 1 / kernels)[..., None]
        if linear or weights == "power":
            statistics, covariance = _linear(categories_s, categories_t, scales, kernels)
            beta = kernel_weights(statistics, covariance) if weights == "power" else beta
        if not linear:
            statistics = _quadratic(categories_s, categories_t, scales, kernels)
        return (beta * statistics).sum(dim=-1)

    def pair_numbers(n: int, m: int) -> int:
        return min(n, m) * (kernels + 8) + (kernels**2 << kernels) + (0 if linear else 3 * max(n, m) ** 2)

    return all_pairs(
        of_block,
        source,
        target,
        pair_numbers=pair_numbers,
        least=2,
        memory=memory,
        on_progress=on_progress,
    )


def _bandwidths(source: Categories, target: Categories) -> Float[Tensor, "classes_s classes_t"]:
    r"""The mean squared distance of all samples of a pair, from what is known of each category.

    $$\frac{2}{N - 1} \Big(\sum_i \lVert z_i \rVert^2 - \frac1N \big\lVert \sum_i z_i \big\rVert^2\Big)$$
    """
    both = (source.counts[:, None] + target.counts).to(source.samples.dtype)
    norms = source.norms.sum(dim=1)[:, None] + target.norms.sum(dim=1)
    squares = source.sums.square().sum(dim=1)[:, None] + target.sums.square().sum(dim=1)
    squares = squares + 2 * product(source.sums, target.sums.mT)
    # Far above what rounding makes of the distance of equal samples: those of a pair may all be equal.
    eps = torch.finfo(both.dtype).eps
    return torch.maximum(2 / (both - 1) * (norms - squares / both), 1000 * eps * (norms / both + eps))


def _ladder(ratios: Tensor, kernels: int) -> Iterator[Tensor]:
    """Each kernel of the distances in units of the middle bandwidth, from the widest; a place in memory for all."""
    kernel = (ratios / -(2.0 ** (kernels - 1 - kernels // 2))).exp_()
    yield kernel
    for _ in range(kernels - 1):  # half the bandwidth is the square: one exponential makes them all
        yield kernel.square_()


def _linear(
    source: Categories, target: Categories, scales: Float[Tensor, "classes_s classes_t"], kernels: int
) -> tuple[Float[Tensor, "classes_s classes_t kernels"], Float[Tensor, "classes_s classes_t kernels kernels"]]:
    """Mean and covariance of the terms of the linear estimate, one for each kernel."""
    used = min(source.samples.shape[1], target.samples.shape[1]) // 2 * 2
    odd, even = slice(0, used, 2), slice(1, used, 2)

    def across(first: slice, second: slice) -> Tensor:
        products = product(source.samples[:, first].transpose(0, 1), target.samples[:, second].permute(1, 2, 0))
        squares = source.norms[:, first].mT[:, :, None] + target.norms[:, second].mT[:, None] - 2 * products
        return squares.clamp_(min=0)

    within_s, within_t = (x.neighbours[:, : used // 2].mT for x in (source, target))
    distances = [within_s[:, :, None], within_t[:, None], across(odd, even), across(even, odd)]
    ladders = zip(*(_ladder(each / scales, kernels) for each in distances))
    terms = torch.stack([ss + tt - st - ts for ss, tt, st, ts in ladders], dim=-1)
    quadruples = torch.minimum(source.counts[:, None], target.counts) // 2
    used_of_pair = torch.arange(used // 2, device=quadruples.device)[:, None, None] < quadruples
    terms = (terms * used_of_pair[..., None]).permute(1, 2, 3, 0)
    number = quadruples[..., None].to(terms.dtype)
    means = terms.sum(dim=-1) / number
    deviations = (terms - means[..., None]) * used_of_pair.permute(1, 2, 0)[:, :, None]
    covariance: Tensor = product(deviations, deviations.mT) / (number[..., None] - 1).clamp(min=1)
    return means, covariance


def _quadratic(
    source: Categories, target: Categories, scales: Float[Tensor, "classes_s classes_t"], kernels: int
) -> Float[Tensor, "classes_s classes_t kernels"]:
    """The mean over all pairs of different samples, one for each kernel."""
    count_s, count_t = source.counts[:, None, None], target.counts[:, None]
    across = _kernel_sums(cross_distances(source, target).div_(scales[:, None, :, None]), kernels, dim=(1, 3))
    within_s = _kernel_sums(source.distances[:, None] / scales[..., None], kernels, dim=-1)
    within_t = _kernel_sums(target.distances / scales[..., None], kernels, dim=-1)
    within = within_s / (count_s * (count_s - 1)) + within_t / (count_t * (count_t - 1))  # each pair of samples once
    return 2 * (within - across / (count_s * count_t))


def _kernel_sums(ratios: Tensor, kernels: int, dim: int | tuple[int, int]) -> Tensor:
    return torch.stack([kernel.sum(dim=dim) for kernel in _ladder(ratios, kernels)], dim=-1)
