"""The discrepancy of two classifiers against a loop, its bounds and finite differences."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from isthmus.functional.discrepancy import discrepancy


def logits(seed: int, samples: int, classes: int, scale: float = 1.0) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    return scale * torch.randn(samples, classes, generator=random, dtype=torch.float64)


@given(seed=st.integers(0, 2**20), samples=st.integers(1, 5), classes=st.integers(1, 6), scale=st.floats(0.01, 30))
def test_equals_the_equation(seed: int, samples: int, classes: int, scale: float) -> None:
    first, second = logits(seed, samples, classes, scale), logits(seed + 1, samples, classes, scale)
    expected = 0.0
    for one, other in zip(first.tolist(), second.tolist()):
        total_one, total_other = (sum(math.exp(value) for value in row) for row in (one, other))
        for v1, v2 in zip(one, other):
            expected += abs(math.exp(v1) / total_one - math.exp(v2) / total_other) / (samples * classes)
    assert discrepancy(first, second).item() == pytest.approx(expected, abs=1e-12)


@given(seed=st.integers(0, 2**20), classes=st.integers(2, 6), scale=st.floats(0.01, 1000))
def test_is_symmetric_and_at_most_two_over_the_classes(seed: int, classes: int, scale: float) -> None:
    """Two distributions differ by at most 2 in all, when they are certain of different classes."""
    first, second = logits(seed, 4, classes, scale), logits(seed + 1, 4, classes, scale)
    value = discrepancy(first, second)
    assert value == discrepancy(second, first)
    assert 0 <= value.item() <= 2 / classes + 1e-12
    certain = 1e4 * torch.eye(classes, dtype=torch.float64)
    assert discrepancy(certain, certain.roll(1, dims=0)).item() == pytest.approx(2 / classes)
    assert discrepancy(first, first + 5.0).item() == pytest.approx(0, abs=1e-12)


def test_gradient_is_the_derivative() -> None:
    pair = [logits(seed, 3, 4).requires_grad_() for seed in (0, 1)]
    assert torch.autograd.gradcheck(discrepancy, pair)


def test_extreme_logits_stay_finite() -> None:
    pair = [torch.tensor([[1e4, -1e4, 0.0]], requires_grad=True), torch.tensor([[0.0, 1e4, -1e4]], requires_grad=True)]
    value = discrepancy(*pair)
    value.backward()
    assert value.item() == pytest.approx(2 / 3)
    assert all(part.grad is not None and part.grad.isfinite().all() for part in pair)
