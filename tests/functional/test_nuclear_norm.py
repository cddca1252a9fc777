"""The nuclear norm against numpy's singular values, and its gradient where singular values repeat or vanish."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from isthmus.functional.nuclear_norm import batch_nuclear_norm


def drawn(seed: int, batch: int, classes: int, scale: float) -> torch.Tensor:
    random = torch.Generator().manual_seed(seed)
    return scale * torch.randn(batch, classes, generator=random, dtype=torch.float64)


@given(seed=st.integers(0, 2**20), batch=st.integers(1, 9), classes=st.integers(2, 6), scale=st.floats(0.01, 20))
def test_equals_the_sum_of_singular_values(seed: int, batch: int, classes: int, scale: float) -> None:
    logits = drawn(seed, batch, classes, scale)
    e = np.exp(logits.numpy() - logits.numpy().max(1, keepdims=True))
    p = e / e.sum(1, keepdims=True)
    # The square roots of the eigenvalues of the smaller Gram matrix.
    gram = p @ p.T if batch < classes else p.T @ p
    expected = np.sqrt(np.clip(np.linalg.eigvalsh(gram), 0, None)).sum() / batch
    value = batch_nuclear_norm(logits).item()
    assert value == pytest.approx(expected, abs=1e-6)
    assert value <= math.sqrt(min(batch, classes) / batch) + 1e-12


@pytest.mark.parametrize(("batch", "classes"), [(6, 3), (3, 6)])
def test_gradient_is_the_derivative(batch: int, classes: int) -> None:
    assert torch.autograd.gradcheck(batch_nuclear_norm, (drawn(0, batch, classes, 2.0).requires_grad_(),))


def test_gradient_is_the_derivative_where_singular_values_repeat() -> None:
    """Predictions that are a circulant matrix: singular values λ, μ, μ."""
    logits = torch.eye(3, dtype=torch.float64).requires_grad_()
    values = torch.linalg.svdvals(logits.detach().softmax(1))
    assert values[1].item() == pytest.approx(values[2].item(), abs=1e-12)
    assert torch.autograd.gradcheck(batch_nuclear_norm, (logits,))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("logits", [torch.zeros(5, 3), 1e4 * torch.eye(4), torch.tensor([[1e4, 0.0], [1e4, 0.0]])])
def test_gradient_is_finite_where_singular_values_vanish(logits: torch.Tensor, dtype: torch.dtype) -> None:
    logits = logits.detach().clone().to(dtype).requires_grad_()
    value = batch_nuclear_norm(logits)
    value.backward()
    assert value.isfinite()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_a_diverged_network_has_no_norm() -> None:
    assert batch_nuclear_norm(torch.tensor([[0.0, math.nan], [0.0, 1.0]])).isnan()
