"""SymNets' losses against loops written from the paper's equations, in float64."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from jaxtyping import TypeCheckError
from torch import Tensor

from isthmus.functional import symmetric


def p_st(v: list[float]) -> list[float]:
    """Softmax over all 2K logits of one sample, shifted for safety."""
    top = max(v)
    exponents = [math.exp(x - top) for x in v]
    return [e / sum(exponents) for e in exponents]


def equation_5(v_s: Tensor, y: Tensor) -> float:
    k = v_s.shape[1] // 2
    return -sum(math.log(p_st(v[:k])[label]) for v, label in zip(v_s.tolist(), y.tolist())) / len(v_s)


def equation_5_6(v_s: Tensor, y: Tensor) -> float:
    k = v_s.shape[1] // 2
    total = 0.0
    for v, label in zip(v_s.tolist(), y.tolist()):
        total -= math.log(p_st(v[:k])[label]) + math.log(p_st(v[k:])[label])
    return total / len(v_s)


def equation_7(v_s: Tensor, v_t: Tensor) -> float:
    k = v_s.shape[1] // 2
    target = sum(math.log(sum(p_st(v)[k:])) for v in v_t.tolist()) / len(v_t)
    source = sum(math.log(sum(p_st(v)[:k])) for v in v_s.tolist()) / len(v_s)
    return -target - source


def equation_8(v_s: Tensor, y: Tensor) -> float:
    k = v_s.shape[1] // 2
    pairs = [(p_st(v)[label + k], p_st(v)[label]) for v, label in zip(v_s.tolist(), y.tolist())]
    return -sum(math.log(a) + math.log(b) for a, b in pairs) / (2 * len(v_s))


def equation_9(v_t: Tensor) -> float:
    k = v_t.shape[1] // 2
    return -sum(math.log(sum(p_st(v)[k:])) + math.log(sum(p_st(v)[:k])) for v in v_t.tolist()) / (2 * len(v_t))


def equation_10(v_t: Tensor) -> float:
    k = v_t.shape[1] // 2
    total = 0.0
    for v in v_t.tolist():
        p = p_st(v)
        total -= sum((p[j] + p[j + k]) * math.log(p[j] + p[j + k]) for j in range(k))
    return total / len(v_t)


def equation_12(v_s: Tensor) -> float:
    total = 0.0
    for v in v_s.tolist():
        k = len(v) // 2
        first = sum(math.exp(x - max(v)) for x in v[:k])
        second = sum(math.exp(x - max(v)) for x in v[k:])
        total -= math.log(first / (first + second)) / 2 + math.log(second / (first + second)) / 2
    return total / len(v_s)


def equation_13(v_s: Tensor, y: Tensor) -> float:
    total = 0.0
    for v, label in zip(v_s.tolist(), y.tolist()):
        k = len(v) // 2
        total -= math.log(p_st(v[:k])[label]) / 2
        total -= math.log(p_st(v[k:])[label]) / 2
    return total / len(v_s)


def feature_task(v_s: Tensor, y: Tensor) -> Tensor:
    """(13) as SymNets without confusion has it."""
    return symmetric.task(v_s, y) / 2


LOSSES: list[tuple[Callable[..., Tensor], Callable[..., float], str]] = [
    (symmetric.source_task, equation_5, "sy"),
    (symmetric.task, equation_5_6, "sy"),
    (symmetric.domain_discrimination, equation_7, "st"),
    (symmetric.category_confusion, equation_8, "sy"),
    (symmetric.domain_confusion, equation_9, "t"),
    (symmetric.paired_entropy, equation_10, "t"),
    (symmetric.domain_confusion, equation_12, "s"),
    (feature_task, equation_13, "sy"),
]


def arguments(kinds: str, classes: int, scale: float = 3.0, seed: int = 0) -> list[Tensor]:
    random = torch.Generator().manual_seed(seed)
    made = {
        "s": scale * torch.randn(5, 2 * classes, generator=random, dtype=torch.float64),
        "t": scale * torch.randn(7, 2 * classes, generator=random, dtype=torch.float64),
        "y": torch.randint(classes, (5,), generator=random),
    }
    return [made[kind] for kind in kinds]


@pytest.mark.parametrize(("loss", "reference", "kinds"), LOSSES)
@given(classes=st.integers(2, 12), scale=st.floats(0.01, 20), seed=st.integers(0, 2**20))
def test_equals_the_paper_equation(
    loss: Callable[..., Tensor], reference: Callable[..., float], kinds: str, classes: int, scale: float, seed: int
) -> None:
    given_arguments = arguments(kinds, classes, scale, seed)
    assert loss(*given_arguments).item() == pytest.approx(reference(*given_arguments), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(("loss", "reference", "kinds"), LOSSES)
def test_gradient_is_the_derivative(loss: Callable[..., Tensor], reference: Callable[..., float], kinds: str) -> None:
    given_arguments = [a.requires_grad_(a.is_floating_point()) for a in arguments(kinds, 3)]
    assert torch.autograd.gradcheck(loss, given_arguments)


@pytest.mark.parametrize(("loss", "reference", "kinds"), LOSSES)
@pytest.mark.parametrize("scale", [1e-30, 1e4])
def test_extreme_logits_stay_finite(
    loss: Callable[..., Tensor], reference: Callable[..., float], kinds: str, scale: float
) -> None:
    given_arguments = [a.float().requires_grad_() if a.is_floating_point() else a for a in arguments(kinds, 3, scale)]
    value = loss(*given_arguments)
    value.backward()
    assert value.isfinite()
    assert all(a.grad.isfinite().all() for a in given_arguments if a.grad is not None)


def test_known_values() -> None:
    """With equal logits every neuron has probability 1/2K."""
    k, v, y = 4, torch.zeros(3, 8, dtype=torch.float64), torch.tensor([0, 1, 3])
    assert symmetric.source_task(v, y).item() == pytest.approx(math.log(k))
    assert symmetric.task(v, y).item() == pytest.approx(2 * math.log(k))
    assert symmetric.domain_discrimination(v, v).item() == pytest.approx(2 * math.log(2))
    assert symmetric.category_confusion(v, y).item() == pytest.approx(math.log(2 * k))
    assert symmetric.domain_confusion(v).item() == pytest.approx(math.log(2))
    assert symmetric.paired_entropy(v).item() == pytest.approx(math.log(k))


@given(seed=st.integers(0, 2**20), shift=st.floats(-5, 5))
def test_confusion_is_least_where_the_halves_are_equal(seed: int, shift: float) -> None:
    (v,) = arguments("t", 3, seed=seed)
    source, _ = symmetric.halves(v)
    balanced = symmetric.domain_confusion(torch.cat([source, source], 1))
    assert symmetric.domain_confusion(torch.cat([source, source + shift], 1)) >= balanced - 1e-12
    assert balanced.item() == pytest.approx(math.log(2))


def test_shapes_are_checked() -> None:
    """Tests run with the annotations' shapes enforced; labels of another batch are one such mistake."""
    with pytest.raises(TypeCheckError):
        symmetric.category_confusion(torch.zeros(5, 6), torch.zeros(4, dtype=torch.long))
