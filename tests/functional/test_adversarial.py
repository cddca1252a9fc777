"""The discriminator's loss against its equation, gradient reversal against the chain rule."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from isthmus.functional.adversarial import domain_discrimination
from isthmus.functional.schedules import annealing, ramp
from isthmus.nn.gradient_reversal import reverse_gradient


@given(
    source=st.lists(st.floats(-20, 20), min_size=1, max_size=6),
    target=st.lists(st.floats(-20, 20), min_size=1, max_size=6),
)
def test_equals_the_equation(source: list[float], target: list[float]) -> None:
    def d(logit: float) -> float:
        return 1 / (1 + math.exp(-logit))

    expected = -sum(math.log(d(-v)) for v in source) / (2 * len(source))  # 1 − D(v) = D(−v)
    expected -= sum(math.log(d(v)) for v in target) / (2 * len(target))
    value = domain_discrimination(*(torch.tensor(v, dtype=torch.float64) for v in (source, target)))
    assert value.item() == pytest.approx(expected, abs=1e-9)


def test_gradient_is_the_derivative() -> None:
    random = torch.Generator().manual_seed(0)
    logits = [torch.randn(n, generator=random, dtype=torch.float64, requires_grad=True) for n in (3, 5)]
    assert torch.autograd.gradcheck(domain_discrimination, logits)


@given(strength=st.floats(0, 10))
def test_reversal_is_identity_forward_and_negation_backward(strength: float) -> None:
    x = torch.tensor([1.0, -2.0], dtype=torch.float64, requires_grad=True)
    y = reverse_gradient(x, strength)
    assert torch.equal(y, x)
    (y**2).sum().backward()
    assert x.grad is not None
    assert torch.allclose(x.grad, -strength * 2 * x.detach())


def test_schedules_take_the_papers_values() -> None:
    assert ramp(0.0) == 0
    assert ramp(1.0) == pytest.approx(math.tanh(5))  # 2/(1 + e^−10) − 1
    assert annealing(0.0) == 1
    assert annealing(1.0) == pytest.approx(11**-0.75)
    steps = [k / 10 for k in range(11)]
    assert sorted(map(ramp, steps)) == [ramp(p) for p in steps]
    assert sorted(map(annealing, steps), reverse=True) == [annealing(p) for p in steps]
