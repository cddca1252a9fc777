"""Covariances against NumPy's, CORAL against the paper's equations."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from isthmus.functional.moments import coral, covariance


def samples(rows: int, width: int, seed: int = 0) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.randn(rows, width, generator=random, dtype=torch.float64)


def equation_2(features: Tensor) -> list[list[float]]:
    """The covariance from sums of products, as the paper writes it."""
    rows, n, d = features.tolist(), *features.shape
    sums = [sum(row[a] for row in rows) for a in range(d)]
    return [
        [(sum(row[a] * row[b] for row in rows) - sums[a] * sums[b] / n) / (n - 1) for b in range(d)] for a in range(d)
    ]


@given(rows=st.integers(2, 8), width=st.integers(2, 5), seed=st.integers(0, 2**20))
def test_covariance_is_numpys(rows: int, width: int, seed: int) -> None:
    features = samples(rows, width, seed)
    torch.testing.assert_close(covariance(features), torch.from_numpy(np.cov(features.numpy(), rowvar=False)))


@given(n=st.integers(2, 6), m=st.integers(2, 6), d=st.integers(1, 4), seed=st.integers(0, 2**20))
def test_coral_equals_the_paper_equation(n: int, m: int, d: int, seed: int) -> None:
    source, target = samples(n, d, seed), 2 * samples(m, d, seed + 1) + 3
    c_s, c_t = equation_2(source), equation_2(target)
    frobenius = sum((c_s[a][b] - c_t[a][b]) ** 2 for a in range(d) for b in range(d))
    assert coral(source, target).item() == pytest.approx(frobenius / (4 * d**2), rel=1e-9)


def test_gradient_is_the_derivative() -> None:
    assert torch.autograd.gradcheck(coral, (samples(4, 3).requires_grad_(), samples(5, 3, seed=1).requires_grad_()))


def test_single_precision_far_from_the_origin() -> None:
    source, target = (samples(32, 3) + 1000).float(), (2 * samples(32, 3, seed=1) - 1000).float()
    assert coral(source, target).item() == pytest.approx(coral(source.double(), target.double()).item(), rel=1e-4)


def test_autocast_changes_nothing() -> None:
    source, target = samples(8, 3).bfloat16(), samples(8, 3, seed=1).bfloat16()
    expected = coral(source.float(), target.float())
    with torch.autocast("cpu", torch.bfloat16):
        torch.testing.assert_close(coral(source, target), expected, rtol=0, atol=0)
