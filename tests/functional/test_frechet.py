"""The Fréchet distance against scipy's matrix root and a closed form."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm

from isthmus.functional.frechet import frechet_distance, mean_and_covariance


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_equals_the_formula_with_scipys_root(dtype: torch.dtype) -> None:
    random = torch.Generator().manual_seed(0)
    first = (torch.randn(50, 6, generator=random) @ torch.randn(6, 6, generator=random)).to(dtype)
    second = (torch.randn(40, 6, generator=random) * 2 + 1).to(dtype)
    a, b = first.double().numpy(), second.double().numpy()
    covariance_a, covariance_b = np.cov(a.T), np.cov(b.T)
    root = sqrtm(covariance_a @ covariance_b).real
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(covariance_a + covariance_b - 2 * root)
    assert frechet_distance(first, second).item() == pytest.approx(expected, rel=1e-9)
    assert frechet_distance(second, first).item() == pytest.approx(expected, rel=1e-9)


def test_of_fewer_samples_than_features_and_of_the_same() -> None:
    random = torch.Generator().manual_seed(0)
    few = torch.randn(5, 20, generator=random, dtype=torch.float64)
    assert frechet_distance(few, few).item() == pytest.approx(0.0, abs=1e-6)
    assert frechet_distance(few, few + 2).item() == pytest.approx(4 * 20)  # moved, not spread
    # Twice as wide: tr(Σ + 4 Σ - 2 · 2 Σ) = tr Σ, and the means' distance.
    trace = few.var(dim=0).sum() + few.mean(dim=0).square().sum()
    assert frechet_distance(few, 2 * few).item() == pytest.approx(trace.item())


def test_covariance_is_numpys() -> None:
    features = torch.randn(7, 3, generator=torch.Generator().manual_seed(0))
    mean, covariance = mean_and_covariance(features)
    np.testing.assert_allclose(covariance.numpy(), np.cov(features.double().numpy().T))
    np.testing.assert_allclose(mean.numpy(), features.double().numpy().mean(0))
