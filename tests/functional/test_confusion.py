"""Class confusion against loops written from the paper's equations, in float64."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from isthmus.functional.confusion import class_confusion
from isthmus.functional.information import entropy_weights


def from_the_paper(logits: list[list[float]]) -> float:
    """MCC, section 3: reweighted by certainty to a mean weight of one, correlated, normalised by row."""
    batch, classes = len(logits), len(logits[0])
    p = []
    for row in logits:
        exponents = [math.exp(v - max(row)) for v in row]
        p.append([e / sum(exponents) for e in exponents])
    certainty = [1 + math.exp(sum(v * math.log(v) for v in row if v > 0)) for row in p]
    w = [batch * c / sum(certainty) for c in certainty]
    total = 0.0
    for j in range(classes):
        row_of_c = [sum(w[i] * p[i][j] * p[i][k] for i in range(batch)) for k in range(classes)]
        total += sum(c for k, c in enumerate(row_of_c) if k != j) / sum(row_of_c)
    return total / classes


def drawn(seed: int, batch: int, classes: int, scale: float) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    return scale * torch.randn(batch, classes, generator=random, dtype=torch.float64)


@given(seed=st.integers(0, 2**20), batch=st.integers(1, 9), classes=st.integers(2, 6), scale=st.floats(0.01, 20))
def test_equals_the_equations(seed: int, batch: int, classes: int, scale: float) -> None:
    logits = drawn(seed, batch, classes, scale)
    value = class_confusion(logits, entropy_weights(logits))
    assert value.item() == pytest.approx(from_the_paper(logits.tolist()), rel=1e-9, abs=1e-12)


def test_gradient_is_the_derivative() -> None:
    logits = drawn(0, 5, 3, 2.0).requires_grad_()
    weights = torch.tensor([1.0, 1.5, 2.0, 0.5, 1.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(class_confusion, (logits, weights))


def test_certain_predictions_confuse_nothing_and_uniform_ones_everything() -> None:
    one = torch.ones(4, dtype=torch.float64)
    assert class_confusion(100 * torch.eye(4, dtype=torch.float64), one).item() == pytest.approx(0, abs=1e-12)
    assert class_confusion(torch.zeros(4, 5, dtype=torch.float64), one).item() == pytest.approx(4 / 5)


def test_a_class_that_nobody_predicts_stays_finite() -> None:
    logits = torch.tensor([[1e4, 0.0, -1e4], [1e4, 0.0, -1e4]], requires_grad=True)
    value = class_confusion(logits, torch.ones(2))
    value.backward()
    assert value.isfinite()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
