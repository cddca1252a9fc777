"""Kernel discrepancies against loops written from their definitions, and against the closed form for Gaussians."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist, pdist
from torch import Tensor

from isthmus.functional.kernels import (
    Estimate,
    gaussian_kernels,
    joint_mmd,
    mean_squared_distance,
    mmd,
    squared_distances,
)

ESTIMATES: tuple[Estimate, ...] = get_args(Estimate)
Sample = list[tuple[float, ...]]
Kernel = Callable[[int, int], float]


def samples(rows: int, width: int = 3, seed: int = 0) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.randn(rows, width, generator=random, dtype=torch.float64)


def kernel_of(pooled: Sample, count: int, bandwidth: float | None) -> Kernel:
    """The sum of kernels between samples i and j, with bandwidths as the authors' code lists them."""
    everyone = range(len(pooled))
    if bandwidth is None:
        apart = [math.dist(pooled[i], pooled[j]) ** 2 for i in everyone for j in everyone if i != j]
        bandwidth = sum(apart) / len(apart)
    smallest = bandwidth / 2 ** (count // 2)
    bandwidths = [smallest * 2**u for u in range(count)]
    return lambda i, j: sum(math.exp(-(math.dist(pooled[i], pooled[j]) ** 2) / gamma) for gamma in bandwidths)


def discrepancy(k: Kernel, n: int, m: int, estimate: Estimate) -> float:
    """From the kernel between n source samples, 0 to n - 1, and m target samples, n to n + m - 1."""
    s, t = range(n), range(n, n + m)
    across = sum(k(i, j) for i in s for j in t) / (n * m)
    if estimate == "biased":
        return sum(k(i, j) for i in s for j in s) / n**2 + sum(k(i, j) for i in t for j in t) / m**2 - 2 * across
    if estimate == "unbiased":
        within_s = sum(k(i, j) for i in s for j in s if i != j) / (n * (n - 1))
        within_t = sum(k(i, j) for i in t for j in t if i != j) / (m * (m - 1))
        return within_s + within_t - 2 * across
    total = 0.0
    quadruples = min(n, m) // 2
    for i in range(1, quadruples + 1):
        s1, s2, t1, t2 = s[2 * i - 2], s[2 * i - 1], t[2 * i - 2], t[2 * i - 1]
        total += k(s1, s2) + k(t1, t2) - k(s1, t2) - k(s2, t1)
    return total / quadruples


def rows(*parts: Tensor) -> Sample:
    return [tuple(row) for part in parts for row in part.tolist()]


@given(n=st.integers(1, 6), m=st.integers(1, 6), width=st.integers(1, 5), seed=st.integers(0, 2**20))
def test_distances_are_scipys(n: int, m: int, width: int, seed: int) -> None:
    x, y = samples(n, width, seed), samples(m, width, seed + 1)
    expected = torch.from_numpy(cdist(x, y, "sqeuclidean"))
    torch.testing.assert_close(squared_distances(x, y), expected, rtol=1e-10, atol=1e-12)
    if n > 1:
        assert mean_squared_distance(x).item() == pytest.approx(pdist(x, "sqeuclidean").mean())


@given(count=st.integers(1, 8), ratio=st.floats(0, 50))
def test_kernels_have_the_bandwidths_of_the_authors_code(count: int, ratio: float) -> None:
    expected = kernel_of([(0.0,), (math.sqrt(ratio),)], count, bandwidth=1.0)(0, 1)
    value = gaussian_kernels(torch.tensor(ratio, dtype=torch.float64), count)
    assert value.item() == pytest.approx(expected, rel=1e-9, abs=1e-300)


@pytest.mark.parametrize("estimate", ESTIMATES)
@given(
    n=st.integers(2, 7),
    m=st.integers(2, 7),
    kernels=st.integers(1, 6),
    bandwidth=st.none() | st.floats(0.1, 10),
    seed=st.integers(0, 2**20),
)
def test_mmd_is_its_definition(
    estimate: Estimate, n: int, m: int, kernels: int, bandwidth: float | None, seed: int
) -> None:
    x, y = samples(n, seed=seed), 2 * samples(m, seed=seed + 1) + 1
    expected = discrepancy(kernel_of(rows(x, y), kernels, bandwidth), n, m, estimate)
    value = mmd(x, y, kernels=kernels, bandwidth=bandwidth, estimate=estimate)
    assert value.item() == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("estimate", ESTIMATES)
@given(n=st.integers(2, 6), m=st.integers(2, 6), seed=st.integers(0, 2**20))
def test_joint_mmd_takes_the_product_of_the_layers_kernels(estimate: Estimate, n: int, m: int, seed: int) -> None:
    layers_s = [samples(n, 3, seed), samples(n, 2, seed + 1)]
    layers_t = [samples(m, 3, seed + 2), samples(m, 2, seed + 3) + 1]
    first = kernel_of(rows(layers_s[0], layers_t[0]), 5, None)
    second = kernel_of(rows(layers_s[1], layers_t[1]), 1, 1.68)
    expected = discrepancy(lambda i, j: first(i, j) * second(i, j), n, m, estimate)
    value = joint_mmd(layers_s, layers_t, kernels=[5, 1], bandwidths=[None, 1.68], estimate=estimate)
    assert value.item() == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("estimate", ["unbiased", "linear"])
def test_unbiased_estimates_are_right_on_average(estimate: Estimate) -> None:
    r"""Between Gaussians the kernel's mean has a closed form.

    For $x \sim N(\mu, \sigma^2 I)$ and $y \sim N(\nu, \tau^2 I)$ in d dimensions, with
    $g = \gamma + 2 (\sigma^2 + \tau^2)$, it is $(\gamma / g)^{d/2} \exp(-\lVert \mu - \nu \rVert^2 / g)$.
    """
    width, gamma, shift, scale = 2, 3.0, 0.7, 1.5

    def mean_kernel(variances: float, distance: float) -> float:
        g = gamma + 2 * variances
        return (gamma / g) ** (width / 2) * math.exp(-(distance**2) / g)

    expected = mean_kernel(2, 0) + mean_kernel(2 * scale**2, 0)
    expected -= 2 * mean_kernel(1 + scale**2, shift * math.sqrt(width))
    random = torch.Generator().manual_seed(0)
    x = torch.randn(20_000, 6, width, generator=random, dtype=torch.float64)
    y = scale * torch.randn(20_000, 8, width, generator=random, dtype=torch.float64) + shift
    values = mmd(x, y, kernels=1, bandwidth=gamma, estimate=estimate)
    assert values.mean().item() == pytest.approx(expected, abs=4 * values.std().item() / math.sqrt(len(values)))
    assert mmd(x, y, kernels=1, bandwidth=gamma, estimate="biased").mean() > 2 * expected


@pytest.mark.parametrize("estimate", ESTIMATES)
def test_leading_dimensions_are_a_batch(estimate: Estimate) -> None:
    """As for a matrix of costs between the categories of two domains: each entry is the discrepancy of one pair."""
    categories_s, categories_t = samples(2 * 4).unflatten(0, (2, 4)), 2 * samples(3 * 5, seed=1).unflatten(0, (3, 5))
    costs = mmd(categories_s[:, None].expand(2, 3, 4, 3), categories_t[None].expand(2, 3, 5, 3), estimate=estimate)
    expected = [[mmd(x, y, estimate=estimate) for y in categories_t] for x in categories_s]
    torch.testing.assert_close(costs, torch.tensor(expected, dtype=torch.float64))


@pytest.mark.parametrize("estimate", ESTIMATES)
def test_gradient_is_the_derivative(estimate: Estimate) -> None:
    x, y = samples(4).requires_grad_(), samples(5, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda x, y: mmd(x, y, bandwidth=2.0, estimate=estimate), (x, y))
    layers = [samples(n, width, seed=n).requires_grad_() for n in (4, 5) for width in (3, 2)]

    def joint(*layers: Tensor) -> Tensor:
        return joint_mmd(layers[:2], layers[2:], kernels=[3, 1], bandwidths=[2.0, 1.68], estimate=estimate)

    assert torch.autograd.gradcheck(joint, layers)


@pytest.mark.parametrize("estimate", ESTIMATES)
def test_the_bandwidth_is_a_constant_to_the_gradient(estimate: Estimate) -> None:
    gradients = []
    x, y = samples(4), samples(5, seed=1)
    for bandwidth in (None, float(pdist(torch.cat([x, y]), "sqeuclidean").mean())):
        leaf = x.clone().requires_grad_()
        mmd(leaf, y, bandwidth=bandwidth, estimate=estimate).backward()
        gradients.append(leaf.grad)
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("estimate", ESTIMATES)
def test_equal_samples_differ_by_nothing(estimate: Estimate) -> None:
    """Dead features make all distances, and so the bandwidth, zero."""
    x, y = torch.zeros(4, 3, requires_grad=True), torch.zeros(6, 3)
    value = mmd(x, y, estimate=estimate)
    value.backward()
    assert value.item() == pytest.approx(0, abs=1e-6)
    assert x.grad is not None
    assert torch.equal(x.grad, torch.zeros(4, 3))


@pytest.mark.parametrize("estimate", ESTIMATES)
def test_single_precision_far_from_the_origin(estimate: Estimate) -> None:
    """Squared norms of a million leave nothing of distances around one, unless the origin is moved."""
    x, y = (samples(32) + 1000).float(), (samples(32, seed=1) + 1001).float()
    assert mmd(x, y, estimate=estimate).item() == pytest.approx(
        mmd(x.double(), y.double(), estimate=estimate).item(), abs=1e-4
    )


@pytest.mark.parametrize("estimate", ESTIMATES)
def test_autocast_changes_nothing(estimate: Estimate) -> None:
    x, y = samples(8).bfloat16(), samples(8, seed=1).bfloat16()
    expected = mmd(x.float(), y.float(), estimate=estimate)
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(mmd(x, y, estimate=estimate), expected, rtol=0, atol=0)


@pytest.mark.parametrize("estimate", ESTIMATES)
def test_the_discrepancy_knows_no_unit(estimate: Estimate) -> None:
    """The bandwidth is measured in the samples' own distances, however small: powers of two round nothing."""
    x, y = samples(6).float(), 2 * samples(6, seed=1).float() + 1
    for unit in (2.0**-20, 2.0**20):
        assert mmd(unit * x, unit * y, estimate=estimate).item() == pytest.approx(mmd(x, y, estimate=estimate).item())
