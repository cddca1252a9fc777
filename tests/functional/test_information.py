"""Entropy and mutual information against scipy and against their bounds."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import entropy as scipy_entropy

from isthmus.functional.information import entropy, entropy_weights, marginal_entropy, mutual_information


def logits(seed: int, scale: float) -> torch.Tensor:
    return scale * torch.randn(9, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@given(seed=st.integers(0, 2**20), scale=st.floats(0.01, 30))
def test_equals_scipy(seed: int, scale: float) -> None:
    v = logits(seed, scale)
    p = v.softmax(1).numpy()
    assert entropy(v).item() == pytest.approx(scipy_entropy(p, axis=1).mean(), abs=1e-10)
    assert marginal_entropy(v).item() == pytest.approx(scipy_entropy(p.mean(0)), abs=1e-10)


@given(seed=st.integers(0, 2**20), scale=st.floats(0.01, 30))
def test_weights_equal_scipy(seed: int, scale: float) -> None:
    v = logits(seed, scale)
    expected = [1 + math.exp(-scipy_entropy(p)) for p in v.softmax(1).tolist()]
    assert entropy_weights(v).tolist() == pytest.approx(expected, abs=1e-10)


@given(seed=st.integers(0, 2**20), scale=st.floats(0.01, 30))
def test_mutual_information_is_between_zero_and_log_classes(seed: int, scale: float) -> None:
    assert -1e-12 <= mutual_information(logits(seed, scale)).item() <= math.log(4) + 1e-12


@pytest.mark.parametrize("function", [entropy, marginal_entropy, mutual_information, entropy_weights])
def test_gradient_is_the_derivative(function: object) -> None:
    assert callable(function)
    assert torch.autograd.gradcheck(function, (logits(0, 2).requires_grad_(),))


@pytest.mark.parametrize("function", [entropy, marginal_entropy, mutual_information, entropy_weights])
def test_certain_predictions_stay_finite(function: object) -> None:
    assert callable(function)
    v = torch.tensor([[1e4, 0.0, -1e4], [0.0, 1e4, 0.0]], requires_grad=True)
    value = function(v)
    value.sum().backward()
    assert value.isfinite().all()
    assert v.grad is not None
    assert v.grad.isfinite().all()
