"""BEGAN's losses and balance, against the paper's equations written out."""

from __future__ import annotations

import pytest
import torch

from isthmus.functional.equilibrium import equilibrium_balance, reconstruction_error


def test_the_error_is_the_mean_absolute_difference() -> None:
    random = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 3, 2, 4, 4, generator=random, dtype=torch.float64)
    expected = sum(abs(x - y) for x, y in zip(a.flatten().tolist(), b.flatten().tolist())) / a.numel()
    assert reconstruction_error(a, b).item() == pytest.approx(expected)


def test_the_error_of_half_precision_images_is_that_of_wide_ones() -> None:
    a, b = torch.randn(2, 8, 3, 16, 16, generator=torch.Generator().manual_seed(0)).bfloat16()
    assert torch.equal(reconstruction_error(a, b), reconstruction_error(a.float(), b.float()))


@pytest.mark.parametrize(
    ("k", "real", "fake", "expected"),
    [(0.5, 0.4, 0.1, 0.5 + 0.01 * (0.7 * 0.4 - 0.1)), (0.0, 0.1, 0.9, 0.0), (0.9999, 0.9, 0.0, 1.0)],
)
def test_the_balance_follows_what_is_out_of_balance(k: float, real: float, fake: float, expected: float) -> None:
    values = (torch.tensor(value, dtype=torch.float64) for value in (k, real, fake))
    assert equilibrium_balance(*values, diversity=0.7, rate=0.01).item() == pytest.approx(expected)


def test_small_changes_survive_half_precision_losses() -> None:
    k = torch.zeros(())
    for _ in range(100):
        k = equilibrium_balance(k, torch.tensor(0.5).bfloat16(), torch.tensor(0.125).bfloat16())
    assert k.item() == pytest.approx(100 * 0.001 * (0.25 - 0.125), rel=1e-4)
