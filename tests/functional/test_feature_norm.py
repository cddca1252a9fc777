"""The losses on feature norms against loops over samples, and what their gradients do to the norms."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from isthmus.functional import feature_norm


def features(seed: int, samples: int = 5, width: int = 7, scale: float = 1.0) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    return scale * torch.randn(samples, width, generator=random, dtype=torch.float64)


def hard(f: Tensor, *, radius: float) -> Tensor:
    return feature_norm.hard(feature_norm.norms(f), radius=radius)


def stepwise(f: Tensor, *, step: float) -> Tensor:
    return feature_norm.stepwise(feature_norm.norms(f), step=step)


@given(seed=st.integers(0, 2**20), samples=st.integers(1, 6), scale=st.floats(0.01, 50), radius=st.floats(0.1, 50))
def test_hard_equals_the_equation(seed: int, samples: int, scale: float, radius: float) -> None:
    f = features(seed, samples, scale=scale)
    mean = sum(math.sqrt(sum(x * x for x in row)) for row in f.tolist()) / samples
    assert hard(f, radius=radius).item() == pytest.approx((mean - radius) ** 2, rel=1e-9, abs=1e-9)


def test_gradient_of_hard_is_the_derivative() -> None:
    assert torch.autograd.gradcheck(lambda f: hard(f, radius=2.0), features(0).requires_grad_())


@given(seed=st.integers(0, 2**20), samples=st.integers(1, 6), scale=st.floats(0.01, 50), step=st.floats(0.01, 10))
def test_gradient_of_stepwise_equals_the_one_with_a_fixed_goal(
    seed: int, samples: int, scale: float, step: float
) -> None:
    """The goal, today's norm and a step, is a number: the derivative is that of the distance to it, by hand."""
    f = features(seed, samples, scale=scale).requires_grad_()
    value = stepwise(f, step=step)
    (gradient,) = torch.autograd.grad(value, f)
    expected = []
    for row in f.tolist():
        norm = math.sqrt(sum(x * x for x in row))
        goal = norm + step
        expected.append([2 * (norm - goal) / samples * x / norm for x in row])
    torch.testing.assert_close(gradient, torch.tensor(expected, dtype=torch.float64), rtol=1e-7, atol=1e-12)
    assert value.item() == pytest.approx(step**2)


def test_stepwise_pulls_every_sample_outwards_alike() -> None:
    """The goals stand still, a step beyond the norms: of n samples each has the gradient -2Δr/n along itself."""
    f = features(1).requires_grad_()
    (gradient,) = torch.autograd.grad(stepwise(f, step=0.3), f)
    outwards = f.detach() / f.detach().square().sum(dim=1, keepdim=True).sqrt()
    torch.testing.assert_close(gradient, -2 * 0.3 / len(f) * outwards)


@pytest.mark.parametrize("loss", [lambda f: hard(f, radius=40.0), lambda f: stepwise(f, step=1.0)])
def test_descending_enlarges_small_norms(loss: Callable[[Tensor], Tensor]) -> None:
    f = features(2).requires_grad_()
    (gradient,) = torch.autograd.grad(loss(f), f)
    assert ((f - 0.01 * gradient).norm(dim=1) > f.norm(dim=1)).all()


@pytest.mark.parametrize("loss", [lambda f: hard(f, radius=25.0), lambda f: stepwise(f, step=1.0)])
def test_features_of_zeros_have_a_finite_gradient(loss: Callable[[Tensor], Tensor]) -> None:
    """A rectified layer can be silent for a sample."""
    f = torch.cat([features(3), torch.zeros(1, 7, dtype=torch.float64)]).requires_grad_()
    (gradient,) = torch.autograd.grad(loss(f), f)
    assert gradient.isfinite().all()
    assert (gradient[-1] == 0).all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_norms_of_low_precision_features_are_in_single_precision(dtype: torch.dtype) -> None:
    f = features(4, width=1000).to(dtype)
    norms = feature_norm.norms(f)
    assert norms.dtype == torch.float32
    torch.testing.assert_close(norms.double(), f.double().norm(dim=1), rtol=1e-6, atol=0)
    assert feature_norm.norms(f.double()).dtype == torch.float64


def test_the_step_survives_low_precision() -> None:
    """A norm of 1000 and a step of 1 cannot be added in bfloat16; the loss does not add them."""
    norms = torch.full((4,), 1000.0, dtype=torch.bfloat16, requires_grad=True)
    loss = feature_norm.stepwise(norms, step=1.0)
    loss.backward()
    assert loss.item() == 1
    assert norms.grad is not None
    assert norms.grad.tolist() == [-0.5] * 4
