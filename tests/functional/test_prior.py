"""Divergence from a prior and distance of decodings against loops, SciPy's divergence and finite differences."""

from __future__ import annotations

import math
from functools import partial
from itertools import product

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import entropy
from torch import Tensor

from isthmus.functional.prior import Reduction, decoding_distance, prior_divergence


def sample(seed: int, *shape: int, scale: float = 1.0) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    return scale * torch.randn(*shape, generator=random, dtype=torch.float64)


def divergence_by_loops(features: Tensor, prior: Tensor) -> list[float]:
    """(17) between softmaxes over dimension 1, of every sample and place."""

    def softmax(values: list[float]) -> list[float]:
        exponentials = [math.exp(value - max(values)) for value in values]
        return [value / sum(exponentials) for value in exponentials]

    divergences = []
    places = [range(size) for size in features.shape[2:]]
    for i, *place in product(range(len(features)), *places):
        q = softmax([prior[(i, k, *place)].item() for k in range(prior.shape[1])])
        p = softmax([features[(i, k, *place)].item() for k in range(prior.shape[1])])
        divergences.append(sum(q_k * math.log(q_k / p_k) for q_k, p_k in zip(q, p)))
    return divergences


@given(
    seed=st.integers(0, 2**20),
    samples=st.integers(1, 4),
    width=st.integers(1, 6),
    places=st.lists(st.integers(1, 3), max_size=2),
    scale=st.floats(0.01, 20),
)
def test_divergence_equals_the_equation(seed: int, samples: int, width: int, places: list[int], scale: float) -> None:
    features, prior = sample(seed, samples, width, *places, scale=scale), sample(seed + 1, samples, width, *places)
    expected = divergence_by_loops(features, prior)
    mean = sum(expected) / len(expected)
    assert prior_divergence(features, prior, reduction="batch_mean").item() == pytest.approx(mean, abs=1e-9)
    assert prior_divergence(features, prior).item() == pytest.approx(mean / width, abs=1e-9)


def test_divergence_is_that_of_scipy() -> None:
    features, prior = sample(0, 5, 7), sample(1, 5, 7)
    q, p = prior.softmax(dim=1).numpy(), features.softmax(dim=1).numpy()
    expected = entropy(q, p, axis=1).mean()
    assert prior_divergence(features, prior, reduction="batch_mean").item() == pytest.approx(expected)


def test_divergence_is_asymmetric_and_knows_shapes_only() -> None:
    """KL(q ‖ p) is not KL(p ‖ q), and a softmax forgets a constant."""
    features, prior = sample(0, 5, 7, scale=2.0), sample(1, 5, 7)
    assert prior_divergence(features, prior).item() != pytest.approx(prior_divergence(prior, features).item(), rel=0.01)
    assert prior_divergence(prior + 3, prior).item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 2), (2, 3, 2, 2)])
@pytest.mark.parametrize("reduction", ["element_mean", "batch_mean"])
def test_gradient_of_the_divergence_is_the_derivative(shape: tuple[int, ...], reduction: Reduction) -> None:
    """Also on the prior's side: the term that draws the target to the source trains both."""
    pair = [sample(seed, *shape).requires_grad_() for seed in (0, 1)]
    assert torch.autograd.gradcheck(partial(prior_divergence, reduction=reduction), pair)


def test_extreme_features_stay_finite() -> None:
    features = torch.tensor([[1e4, -1e4, 0.0]], requires_grad=True)
    value = prior_divergence(features, torch.zeros(1, 3))
    value.backward()
    assert value.isfinite()
    assert features.grad is not None
    assert features.grad.isfinite().all()


@given(seed=st.integers(0, 2**20), samples=st.integers(1, 4), image=st.lists(st.integers(1, 3), min_size=1, max_size=3))
def test_decoding_distance_equals_the_equation(seed: int, samples: int, image: list[int]) -> None:
    """(18) over the number of pixels: the L1 norm of each pair's difference, averaged over pairs."""
    first, second = sample(seed, samples, *image), sample(seed + 1, samples, *image)
    norms = [
        sum(abs(x - y) for x, y in zip(one.flatten().tolist(), other.flatten().tolist()))
        for one, other in zip(first, second)
    ]
    expected = sum(norms) / samples / math.prod(image)
    assert decoding_distance(first, second).item() == pytest.approx(expected)


def test_gradient_of_the_decoding_distance_is_the_derivative() -> None:
    pair = [sample(seed, 3, 1, 4, 4).requires_grad_() for seed in (0, 1)]
    assert torch.autograd.gradcheck(decoding_distance, pair)
