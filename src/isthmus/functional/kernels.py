r"""Sums of Gaussian kernels, and the discrepancy of two domains' kernel means: MK-MMD and joint MMD.

The bandwidth $\gamma$ of a kernel $\exp(-\lVert x - y \rVert^2 / \gamma)$ is, unless given, the mean squared distance
of the samples of both domains, a constant to the gradient; further kernels have it halved and doubled. All functions
take leading dimensions: a batch of pairs of samples has a batch of discrepancies.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import mul
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from isthmus.functional.precision import product, widened

Estimate = Literal["biased", "unbiased", "linear"]
"""How expectations over pairs are estimated: from all pairs, from all but those of a sample with itself, or, in linear
time, from as many pairs as there are samples."""


def squared_distances(
    x: Float[Tensor, "*batch rows features"], y: Float[Tensor, "*batch columns features"]
) -> Float[Tensor, "*batch rows columns"]:
    r"""$\lVert x_i - y_j \rVert^2$ of every row of x to every row of y, by one matrix product.

    Equal rows may be a rounding error apart, to either side of zero.

    >>> squared_distances(torch.tensor([[0.0, 0.0], [1.0, 0.0]]), torch.tensor([[3.0, 4.0]]))
    tensor([[25.],
            [20.]])
    """
    x, y = widened(x), widened(y)
    origin = x.detach().mean(dim=-2, keepdim=True)  # distances know none, and a near one leaves little to round away
    x, y = x - origin, y - origin
    norms_x, norms_y = x.square().sum(dim=-1), y.square().sum(dim=-1)
    return norms_x.unsqueeze(-1) + norms_y.unsqueeze(-2) - 2 * product(x, y.mT)


def mean_squared_distance(x: Float[Tensor, "*batch rows features"]) -> Float[Tensor, "*batch"]:
    r"""Mean of $\lVert x_i - x_j \rVert^2$ over all pairs $i \ne j$: twice the total variance, in linear time.

    >>> mean_squared_distance(torch.tensor([[0.0], [1.0], [3.0]]))  # (1 + 9 + 4) / 3
    tensor(4.6667)
    """
    return 2 * widened(x).var(dim=-2).sum(dim=-1)


def gaussian_kernels(ratios: Float[Tensor, "*shape"], count: int = 5) -> Float[Tensor, "*shape"]:
    r"""Sum of Gaussian kernels, each of half the next one's bandwidth, with $\gamma$ in the middle.

    $$\sum_{u=0}^{m-1} \exp\Big(-\frac{r}{2^{u - \lfloor m / 2 \rfloor}}\Big),
    \qquad r = \frac{\lVert x - y \rVert^2}{\gamma}$$

    >>> round(gaussian_kernels(torch.tensor(1.0), count=3).item(), 4)  # exp(-2) + exp(-1) + exp(-1/2)
    1.1097
    """
    kernel = total = (-ratios / 2.0 ** (count - 1 - count // 2)).exp()
    for _ in range(count - 1):  # half the bandwidth is the square: one exponential makes them all
        kernel = kernel.square()
        total = total + kernel
    return total


def mmd(
    features_s: Float[Tensor, "*batch source features"],
    features_t: Float[Tensor, "*batch target features"],
    *,
    kernels: int = 5,
    bandwidth: float | None = None,
    estimate: Estimate = "unbiased",
) -> Float[Tensor, "*batch"]:
    r"""Squared maximum mean discrepancy of two samples under a sum k of Gaussian kernels: MK-MMD.

    $$E\,k(x^s, x^{s\prime}) + E\,k(x^t, x^{t\prime}) - 2 E\,k(x^s, x^t)$$

    `biased` takes means over all pairs, and is never negative; `unbiased` leaves out the pairs of a sample with itself,
    and is zero on average where the distributions are equal; `linear` is

    $$\frac{2}{n} \sum_{i=1}^{n/2} k(x^s_{2i-1}, x^s_{2i}) + k(x^t_{2i-1}, x^t_{2i}) - k(x^s_{2i-1}, x^t_{2i})
    - k(x^s_{2i}, x^t_{2i-1})$$

    unbiased too, with a larger variance; samples left over are not used.

    Source: Gretton et al., "A kernel two-sample test", eqs. (3) and (5) and section 6; in features, Long et al.,
    "Learning transferable features with deep adaptation networks".

    Args:
        features_s: at least two samples of the source.
        features_t: likewise of the target.
        kernels: number of kernels in the sum, each of weight 1.
        bandwidth: $\gamma$ of the middle kernel; by default the mean squared distance of the samples.
        estimate: of the expectations.

    >>> x = torch.tensor([[0.0], [1.0]])
    >>> mmd(x, x, estimate="biased").item()
    0.0
    """
    return joint_mmd([features_s], [features_t], kernels=[kernels], bandwidths=[bandwidth], estimate=estimate)


def joint_mmd(
    layers_s: Sequence[Float[Tensor, "*batch source _"]],
    layers_t: Sequence[Float[Tensor, "*batch target _"]],
    *,
    kernels: Sequence[int],
    bandwidths: Sequence[float | None],
    estimate: Estimate = "unbiased",
) -> Float[Tensor, "*batch"]:
    r"""Squared MMD of the joint distribution of several layers' features: the kernel is the product of the layers'.

    $$k(z, z') = \prod_l k^l(z^l, z^{\prime l})$$

    in place of k in `mmd`. Source: Long et al., "Deep transfer learning with joint adaptation networks", section 3.

    Args:
        layers_s: each layer's features of the source.
        layers_t: likewise of the target.
        kernels: each layer's number of kernels.
        bandwidths: each layer's $\gamma$; None for the mean squared distance of its samples.
        estimate: of the expectations, as in `mmd`.
    """
    layers = zip(layers_s, layers_t, kernels, bandwidths, strict=True)
    kernel: Tensor = reduce(mul, (_kernel(*layer, linear=estimate == "linear") for layer in layers))
    if estimate == "linear":
        within_s, within_t, across, back = kernel.unbind(dim=-2)
        return (within_s + within_t - across - back).mean(dim=-1)

    source = layers_s[0].shape[-2]
    within_s, within_t = kernel[..., :source, :source], kernel[..., source:, source:]
    across = kernel[..., :source, source:].mean(dim=(-2, -1))
    if estimate == "biased":
        return within_s.mean(dim=(-2, -1)) + within_t.mean(dim=(-2, -1)) - 2 * across
    return _mean_off_diagonal(within_s) + _mean_off_diagonal(within_t) - 2 * across


def _kernel(features_s: Tensor, features_t: Tensor, count: int, bandwidth: float | None, *, linear: bool) -> Tensor:
    """One layer's kernel between all samples of both domains, (…, all, all), or in quadruples alone, (…, 4, n/2)."""
    both = torch.cat([widened(features_s), widened(features_t)], dim=-2)
    distances = _of_quadruples(both, features_s.shape[-2]) if linear else squared_distances(both, both)
    if bandwidth is not None:
        return gaussian_kernels(distances / bandwidth, count)
    # Samples that are all equal have distance zero whatever it is divided by.
    scale = mean_squared_distance(both.detach()).clamp(min=torch.finfo(both.dtype).eps ** 2)
    return gaussian_kernels(distances / scale[..., None, None], count)


def _of_quadruples(both: Tensor, source: int) -> Tensor:
    """Squared distances within the source, within the target and twice across, (…, 4, n/2)."""
    features_s, features_t = both[..., :source, :], both[..., source:, :]
    used = min(features_s.shape[-2], features_t.shape[-2]) // 2 * 2
    odd_s, even_s = features_s[..., 0:used:2, :], features_s[..., 1:used:2, :]
    odd_t, even_t = features_t[..., 0:used:2, :], features_t[..., 1:used:2, :]
    first, second = torch.stack([odd_s, odd_t, odd_s, even_s], -3), torch.stack([even_s, even_t, even_t, odd_t], -3)
    return (first - second).square().sum(dim=-1)


def _mean_off_diagonal(block: Tensor) -> Tensor:
    rows = block.shape[-1]
    return (block.sum(dim=(-2, -1)) - block.diagonal(dim1=-2, dim2=-1).sum(dim=-1)) / (rows * (rows - 1))
