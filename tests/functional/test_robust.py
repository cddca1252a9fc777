"""Robust norms, scales and weights against loops from the paper's equations, and what IRLS promises."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import combinations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.autograd import gradcheck

from isthmus.functional.robust import Norm, Weighting, cauchy, consistency, geman_mcclure, irls_weights, scales

NORMS: dict[Norm, Callable[[float, float], float]] = {
    "squared": lambda x, sigma: x**2,
    "cauchy": lambda x, sigma: sigma**2 * math.log(1 + x**2 / sigma**2),
    "geman_mcclure": lambda x, sigma: sigma**2 * x**2 / (sigma**2 + x**2),
}
MINIMISES: dict[Weighting, Norm] = {"paper": "cauchy", "geman_mcclure": "geman_mcclure"}

sizes = st.integers(2, 6)
seeds = st.integers(0, 2**20)


def points(blocks: int, n: int, width: int = 3, seed: int = 0) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.randn(blocks, n, width, generator=random, dtype=torch.float64)


def squared_of(phi: Tensor) -> Tensor:
    return (phi[:, :, None] - phi[:, None]).square().sum(dim=-1)


@given(blocks=st.integers(1, 3), n=sizes, seed=seeds)
def test_equal_loops_over_pairs(blocks: int, n: int, seed: int) -> None:
    phi = points(blocks, n, seed=seed)
    squared, scale = squared_of(phi), scales(squared_of(phi))
    weights, squared_weights = irls_weights(squared, scale), irls_weights(squared, scale, "geman_mcclure")
    bounded, logarithmic = geman_mcclure(squared, scale), cauchy(squared, scale)
    rows = phi.tolist()
    totals = dict.fromkeys(NORMS, 0.0)
    for block, row in enumerate(rows):
        sigma = sum(min(math.dist(row[i], row[j]) for j in range(n) if j != i) for i in range(n)) / n
        assert scale[block].item() == pytest.approx(sigma)
        for i in range(n):
            for j in range(n):
                x = math.dist(row[i], row[j])
                w = sigma**2 / (sigma**2 + x**2) if i != j else 0.0
                assert weights[block, i, j].item() == pytest.approx(w)
                assert squared_weights[block, i, j].item() == pytest.approx(w**2)
                assert bounded[block, i, j].item() == pytest.approx(NORMS["geman_mcclure"](x, sigma))
                assert logarithmic[block, i, j].item() == pytest.approx(NORMS["cauchy"](x, sigma))
                if i < j:
                    for norm, rho in NORMS.items():
                        totals[norm] += rho(x, sigma)
    for norm, total in totals.items():
        assert consistency(squared, scale, norm).item() == pytest.approx(total)


def test_weights_are_the_slopes_of_the_norms_they_minimise() -> None:
    squared = squared_of(points(2, 4)).requires_grad_()
    scale = torch.tensor([0.7, 1.9], dtype=torch.float64)
    pairs = torch.ones(4, 4).triu(1).bool().expand(2, 4, 4)
    for weighting, norm in MINIMISES.items():
        (slope,) = torch.autograd.grad(consistency(squared, scale, norm), squared)
        torch.testing.assert_close(slope[pairs], irls_weights(squared, scale, weighting)[pairs])
    assert gradcheck(cauchy, (squared, scale.requires_grad_()))
    assert gradcheck(geman_mcclure, (squared, scale))


def test_equal_networks_have_scale_zero_and_weight_one() -> None:
    squared = torch.zeros(1, 3, 3)
    squared[0, 2, :2] = squared[0, :2, 2] = 5.0  # 0 and 1 are equal
    for apart in (torch.zeros(1, 3, 3), squared):
        apart.requires_grad_()
        for weighting in MINIMISES:
            weights = irls_weights(apart, torch.zeros(1), weighting)
            assert torch.equal(weights, (apart == 0).float() - torch.eye(3))
        for norm in MINIMISES.values():
            value = consistency(apart, torch.zeros(1), norm)
            (slope,) = torch.autograd.grad(value, apart)
            assert value.item() == 0
            assert slope.isfinite().all()
    assert scales(torch.zeros(2, 3, 3)).tolist() == [0.0, 0.0]


def test_networks_without_the_block_count_nowhere() -> None:
    squared = squared_of(points(1, 3))
    among_more = torch.full((1, 5, 5), torch.inf, dtype=torch.float64)
    among_more[:, :3, :3] = squared
    among_more.diagonal(dim1=1, dim2=2).zero_()
    scale = scales(squared)
    assert torch.equal(scales(among_more), scale)
    for weighting in MINIMISES:
        weights = irls_weights(among_more, scale, weighting)
        assert torch.equal(weights[:, :3, :3], irls_weights(squared, scale, weighting))
        assert weights[:, 3:].count_nonzero() == weights[:, :, 3:].count_nonzero() == 0
    for norm in NORMS:
        assert consistency(among_more, scale, norm).item() == pytest.approx(consistency(squared, scale, norm).item())
    assert scales(among_more[:, 3:, 3:]).item() == 0  # nobody has it


def test_half_precision_changes_arguments_only() -> None:
    squared, scale = squared_of(points(2, 4)).bfloat16(), torch.tensor([0.5, 2.0]).bfloat16()
    for function in (geman_mcclure, cauchy, irls_weights):
        torch.testing.assert_close(function(squared, scale), function(squared.float(), scale.float()))
        with torch.autocast("cpu", torch.bfloat16):
            assert function(squared.float(), scale.float()).dtype == torch.float32


@given(n=st.integers(2, 4), seed=seeds, trade_off=st.floats(0.01, 10), weighting=st.sampled_from(sorted(MINIMISES)))
def test_a_weighted_step_never_raises_the_norm_it_is_for(
    n: int, seed: int, trade_off: float, weighting: Weighting
) -> None:
    """Tasks (θ − a)ᵀ A (θ − a) of layers of two parameters; each weighted problem is solved exactly."""
    layers, width = 3, 2
    size = layers * width
    random = torch.Generator().manual_seed(seed)
    factors = torch.randn(n, size, size, generator=random, dtype=torch.float64)
    curvature = factors @ factors.mT / size + 0.1 * torch.eye(size, dtype=torch.float64)
    optimum = torch.randn(n, size, generator=random, dtype=torch.float64)

    def blocks(theta: Tensor) -> Tensor:
        return torch.stack([theta[:, first * width : (first + 2) * width] for first in range(layers - 1)])

    def weighted_solution(weights: Tensor) -> Tensor:
        quadratic = torch.block_diag(*curvature)
        for first, block in enumerate(weights):
            for i, j in combinations(range(n), 2):
                u, v = (torch.arange(first * width, (first + 2) * width) + k * size for k in (i, j))
                quadratic[u, u] += trade_off * block[i, j]
                quadratic[v, v] += trade_off * block[i, j]
                quadratic[u, v] -= trade_off * block[i, j]
                quadratic[v, u] -= trade_off * block[i, j]
        linear = torch.einsum("ikl,il->ik", curvature, optimum).flatten()
        return torch.linalg.solve(quadratic, linear).view(n, size)

    theta = weighted_solution(torch.ones(layers - 1, n, n, dtype=torch.float64))
    scale = scales(squared_of(blocks(theta)))
    objectives = []
    for _ in range(6):
        difference = theta - optimum
        task = torch.einsum("ik,ikl,il->", difference, curvature, difference)
        squared = squared_of(blocks(theta))
        objectives.append((task + trade_off * consistency(squared, scale, MINIMISES[weighting])).item())
        theta = weighted_solution(irls_weights(squared, scale, weighting))
    for before, after in zip(objectives, objectives[1:]):
        assert after <= before + 1e-9 * max(1.0, before)
