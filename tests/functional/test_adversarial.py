"""The discriminator's loss against its equation, gradient reversal against the chain rule."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from isthmus.functional.adversarial import domain_confusion, domain_discrimination, inverted_labels
from isthmus.functional.schedules import annealing, cosine, ramp
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


@given(
    source=st.lists(st.floats(-20, 20), min_size=1, max_size=6),
    target=st.lists(st.floats(-20, 20), min_size=1, max_size=6),
)
def test_confusion_equals_the_equation(source: list[float], target: list[float]) -> None:
    """SymNets' (3): over samples and both names of a domain, half the logarithm of the discriminator's probability."""

    def log_d(logit: float) -> float:
        return -math.log1p(math.exp(-logit))

    expected = 0.0
    for logits in (source, target):
        for logit in logits:
            expected -= (log_d(logit) + log_d(-logit)) / (2 * len(logits))
    value = domain_confusion(*(torch.tensor(v, dtype=torch.float64) for v in (source, target)))
    assert value.item() == pytest.approx(expected, abs=1e-9)
    assert value.item() >= 2 * math.log(2) - 1e-12


def test_confusion_pulls_every_logit_to_zero() -> None:
    """Its derivative is (D − ½) / n on each logit, for both domains alike."""
    random = torch.Generator().manual_seed(0)
    logits = [torch.randn(n, generator=random, dtype=torch.float64, requires_grad=True) for n in (3, 5)]
    assert torch.autograd.gradcheck(domain_confusion, logits)
    for part, gradient in zip(logits, torch.autograd.grad(domain_confusion(*logits), logits)):
        torch.testing.assert_close(gradient, (1 / (1 + (-part.detach()).exp()) - 0.5) / len(part))


@pytest.mark.parametrize("loss", [domain_discrimination, domain_confusion])
def test_extreme_logits_stay_finite(loss: Callable[..., Tensor]) -> None:
    logits = [torch.tensor([1e4, -1e4, 0.0], requires_grad=True) for _ in range(2)]
    value = loss(*logits)
    value.backward()
    assert value.isfinite()
    assert all(part.grad is not None and part.grad.isfinite().all() for part in logits)


@given(
    source=st.lists(st.tuples(st.floats(-20, 20), st.integers(1, 4)), min_size=1, max_size=5),
    target=st.lists(st.tuples(st.floats(-20, 20), st.integers(1, 4)), min_size=1, max_size=5),
    scale=st.floats(0.1, 10),
)
def test_a_weight_counts_a_sample_several_times(
    source: list[tuple[float, int]], target: list[tuple[float, int]], scale: float
) -> None:
    """And only weights relative to each other count."""

    def tensor(values: list[float]) -> Tensor:
        return torch.tensor(values, dtype=torch.float64)

    repeated = [tensor([v for v, times in part for _ in range(times)]) for part in (source, target)]
    logits = [tensor([v for v, _ in part]) for part in (source, target)]
    weights = [tensor([scale * times for _, times in part]) for part in (source, target)]
    value = domain_discrimination(*logits, *weights)
    assert value.item() == pytest.approx(domain_discrimination(*repeated).item(), rel=1e-9, abs=1e-12)


def test_weighted_gradient_is_the_derivative() -> None:
    random = torch.Generator().manual_seed(0)
    parts = [torch.randn(n, generator=random, dtype=torch.float64) for n in (3, 5)]
    arguments = [part.requires_grad_() for part in (*parts, *(part.exp() for part in parts))]
    assert torch.autograd.gradcheck(domain_discrimination, arguments)


@given(target=st.lists(st.floats(-20, 20), min_size=1, max_size=6))
def test_inverted_labels_equal_the_equation(target: list[float]) -> None:
    """ADDA's (7), with the probability of the source, 1 − sigmoid of the logit."""
    expected = -sum(math.log(1 / (1 + math.exp(v))) for v in target) / len(target)
    assert inverted_labels(torch.tensor(target, dtype=torch.float64)).item() == pytest.approx(expected, abs=1e-9)
    assert torch.autograd.gradcheck(inverted_labels, (torch.linspace(-3, 3, 5, dtype=torch.float64).requires_grad_(),))


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
    assert [cosine(p) for p in (0.0, 1 / 3, 0.5, 2 / 3, 1.0)] == pytest.approx([1, 3 / 4, 1 / 2, 1 / 4, 0])
    steps = [k / 10 for k in range(11)]
    assert sorted(map(ramp, steps)) == [ramp(p) for p in steps]
    for falling in (annealing, cosine):
        assert sorted(map(falling, steps), reverse=True) == [falling(p) for p in steps]
