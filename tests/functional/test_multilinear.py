"""CDAN's multilinear map against numpy, and the randomised one against the inner products that it estimates."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from isthmus.functional.multilinear import multilinear, randomised_multilinear


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_equals_the_outer_product_of_each_sample() -> None:
    features, predictions = drawn(4, 5), drawn(4, 3, seed=1).softmax(1)
    expected = [np.outer(f, g).ravel() for f, g in zip(features.numpy(), predictions.numpy())]
    np.testing.assert_allclose(multilinear(features, predictions).numpy(), np.array(expected))


def test_randomised_map_equals_its_equation() -> None:
    f, g, rf, rg = drawn(2, 5), drawn(2, 3), drawn(5, 7, seed=1), drawn(3, 7, seed=2)
    expected = [
        [
            sum(f[i, j] * rf[j, d] for j in range(5)) * sum(g[i, k] * rg[k, d] for k in range(3)) / 7**0.5
            for d in range(7)
        ]
        for i in range(2)
    ]
    torch.testing.assert_close(randomised_multilinear(f, g, rf, rg), torch.tensor(expected, dtype=torch.float64))


def test_randomised_inner_products_are_right_in_expectation() -> None:
    """Theorem 1: the mean of ⟨T(f, g), T(f', g')⟩ is ⟨f, f'⟩⟨g, g'⟩; with many dimensions it comes close."""
    features, predictions = drawn(2, 5), drawn(2, 3, seed=1).softmax(1)
    exact = multilinear(features, predictions)
    close = randomised_multilinear(features, predictions, drawn(5, 400_000, seed=2), drawn(3, 400_000, seed=3))
    torch.testing.assert_close(close @ close.T, exact @ exact.T, rtol=0.02, atol=0.01)
    assert (exact[0] @ exact[1]).item() == pytest.approx(
        ((features[0] @ features[1]) * (predictions[0] @ predictions[1])).item()
    )


def test_gradients_are_the_derivatives() -> None:
    f, g = drawn(2, 4).requires_grad_(), drawn(2, 3, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(multilinear, (f, g))
    assert torch.autograd.gradcheck(randomised_multilinear, (f, g, drawn(4, 6), drawn(3, 6)))
