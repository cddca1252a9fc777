"""Optimal transport against POT's solvers, its gradient against differences of the regularised cost."""

from __future__ import annotations

import math
import warnings

import numpy as np
import ot
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from torch import Tensor

from isthmus.functional.transport import transport_loss, transport_plan

SIZES = [(1, 1, 1), (3, 1, 4), (4, 5, 1), (3, 7, 4), (2, 12, 30)]


def _problem(batch: int, rows: int, columns: int, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    random = torch.Generator().manual_seed(rows)
    p, q = (torch.randn(batch, n, generator=random, dtype=dtype).mul(2).softmax(1) for n in (rows, columns))
    return p, q, torch.rand(rows, columns, generator=random, dtype=dtype)


@pytest.mark.parametrize("size", SIZES)
def test_tends_to_the_exact_distance(size: tuple[int, int, int]) -> None:
    """By no more than the largest entropy over λ, log(n m) / λ, and from above."""
    p, q, cost = _problem(*size)
    value = transport_loss(p, q, cost, sharpness=200.0, iterations=20000, tolerance=1e-9)
    exact = [
        ot.emd2(*(np.ascontiguousarray(x / x.sum()) for x in (a, b)), cost.numpy())
        for a, b in zip(p.numpy(), q.numpy())
    ]
    excess = value - torch.tensor(exact, dtype=torch.float64)
    assert (excess > -1e-8).all()
    assert (excess <= math.log(size[1] * size[2]) / 200 + 1e-8).all()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("sharpness", [1.0, 30.0, 100.0])
def test_equals_pots_entropic_plan(size: tuple[int, int, int], sharpness: float) -> None:
    p, q, cost = _problem(*size)
    options = {"sharpness": sharpness, "iterations": 20000, "tolerance": 1e-11}
    plans, values = transport_plan(p, q, cost, **options), transport_loss(p, q, cost, **options)
    with_entropy = transport_loss(p, q, cost, entropy=True, **options)
    for a, b, plan, value, regularised in zip(p, q, plans, values, with_entropy):
        expected = ot.sinkhorn(
            a.numpy(), b.numpy(), cost.numpy(), 1 / sharpness, "sinkhorn_log", numItermax=20000, stopThr=1e-12
        )
        np.testing.assert_allclose(plan.numpy(), expected, rtol=1e-6, atol=1e-10)
        assert value.item() == pytest.approx((expected * cost.numpy()).sum(), rel=1e-8)
        entropy = np.sum(expected * np.log(np.maximum(expected, 1e-300)))
        assert regularised.item() == pytest.approx((expected * cost.numpy()).sum() + entropy / sharpness, rel=1e-8)


@pytest.mark.parametrize("scale", [1.0, 5.0, 50.0])
def test_keeps_to_its_marginals(scale: float) -> None:
    p, q, cost = _problem(5, 9, 4, torch.float32)
    plan = transport_plan(p, q, scale * cost, tolerance=1e-4, iterations=20000)
    assert (plan >= 0).all()
    torch.testing.assert_close(plan.sum(2), p, rtol=1e-3, atol=1e-6)
    assert ((plan.sum(1) - q).abs().sum(1) < 2e-4).all()


@pytest.mark.parametrize("scale", [0.1, 3.0, 20.0, 60.0])
def test_single_precision_equals_double(scale: float) -> None:
    """Also where λC spans thousands, and exp(−λC) and the scalings of it leave the range of single precision."""
    p, q, cost = _problem(6, 8, 5)
    p[0], p[1] = torch.eye(8, dtype=p.dtype)[2], torch.eye(8, dtype=p.dtype)[5]
    expected = transport_loss(p, q, scale * cost, iterations=5000, tolerance=0.0)
    value = transport_loss(p.float(), q.float(), scale * cost.float(), iterations=5000, tolerance=0.0)
    torch.testing.assert_close(value.double(), expected, rtol=1e-3, atol=1e-6)
    reference = torch.tensor([_pot(a, b, scale * cost) for a, b in zip(p, q)], dtype=torch.float64)
    torch.testing.assert_close(expected, reference, rtol=1e-5, atol=1e-8)


def _pot(p: Tensor, q: Tensor, cost: Tensor) -> float:
    p, q = (x.clamp_min(1e-12) / x.clamp_min(1e-12).sum() for x in (p, q))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plan = ot.sinkhorn(p.numpy(), q.numpy(), cost.numpy(), 1 / 30, "sinkhorn_log", numItermax=20000, stopThr=1e-10)
    return float((plan * cost.numpy()).sum())


@pytest.mark.parametrize("scale", [0.1, 1.0, 40.0])
@pytest.mark.parametrize("arguments", ["p", "q", "both"])
def test_gradient_is_that_of_the_regularised_cost(scale: float, arguments: str) -> None:
    random = torch.Generator().manual_seed(0)
    x, y = (torch.randn(2, n, generator=random, dtype=torch.float64) for n in (4, 3))
    cost = scale * torch.rand(4, 3, generator=random, dtype=torch.float64)
    x.requires_grad_(arguments != "q")
    y.requires_grad_(arguments != "p")

    def loss(x: Tensor, y: Tensor) -> Tensor:
        return transport_loss(
            x.softmax(1), y.softmax(1), cost, sharpness=5.0, iterations=50000, tolerance=1e-13, entropy=True
        )

    assert torch.autograd.gradcheck(loss, (x, y))


def test_gradient_equals_differences_along_the_simplex() -> None:
    """Moving mass from class j to class i changes the regularised cost by the difference of their gradients."""
    p, q, cost = _problem(1, 5, 3)
    options = {"sharpness": 10.0, "iterations": 20000, "tolerance": 1e-13}
    p.requires_grad_()
    q.requires_grad_()
    transport_loss(p, q, cost, **options).sum().backward()
    for argument, other, step in ((p, q, 1e-6), (q, p, 1e-6)):
        gradient = argument.grad
        assert gradient is not None
        assert gradient.sum().abs() < 1e-12
        for i in range(1, argument.shape[1]):
            moved = torch.zeros_like(argument)
            moved[0, i], moved[0, 0] = step, -step
            values = []
            for sign in (1, -1):
                pair = (argument.detach() + sign * moved, other.detach())
                pair = pair if argument is p else pair[::-1]
                values.append(transport_loss(*pair, cost, entropy=True, **options).item())
            slope = (values[0] - values[1]) / (2 * step)
            assert slope == pytest.approx((gradient[0, i] - gradient[0, 0]).item(), rel=1e-6, abs=1e-8)


MASSES = st.sampled_from([0.0, 1e-30, 1e-12, 1e-6, 0.3, 1.0])


@given(
    p=st.lists(MASSES, min_size=1, max_size=5),
    q=st.lists(MASSES, min_size=1, max_size=5),
    largest=st.sampled_from([0.0, 1e-3, 1.0, 10.0, 100.0, 1e4]),
    sharpness=st.sampled_from([0.1, 30.0, 100.0]),
    dtype=st.sampled_from([torch.bfloat16, torch.float32, torch.float64]),
)
@example(p=[1.0, 0.0, 0.0], q=[0.0, 1.0], largest=1e4, sharpness=100.0, dtype=torch.float32)
def test_extreme_arguments_stay_finite(
    p: list[float], q: list[float], largest: float, sharpness: float, dtype: torch.dtype
) -> None:
    arguments = [torch.tensor([x, x[::-1]], dtype=dtype, requires_grad=True) for x in (p, q)]
    cost = largest * torch.rand(len(p), len(q), generator=torch.Generator().manual_seed(0))
    value = transport_loss(*arguments, cost, sharpness=sharpness, iterations=30, tolerance=0.0)
    value.sum().backward()
    assert value.isfinite().all()
    assert (value >= -1e-5 * largest).all()
    assert (value <= (1 + 1e-2) * largest).all()
    assert all(x.grad is not None and x.grad.dtype == dtype and x.grad.isfinite().all() for x in arguments)


@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_batch_equals_its_samples(scale: float) -> None:
    p, q, cost = _problem(4, 6, 5)
    p[0] = torch.eye(6, dtype=p.dtype)[0]
    options = {"iterations": 50, "tolerance": 0.0}
    one_by_one = [transport_loss(a[None], b[None], scale * cost, **options) for a, b in zip(p, q)]
    torch.testing.assert_close(transport_loss(p, q, scale * cost, **options), torch.cat(one_by_one))
    assert transport_loss(p[:0], q[:0], cost).shape == (0,)


@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_keeps_no_more_for_more_iterations(scale: float) -> None:
    p, q, cost = _problem(4, 6, 5)
    p.requires_grad_()

    def kept(iterations: int) -> list[torch.Size]:
        shapes = []
        with torch.autograd.graph.saved_tensors_hooks(lambda x: shapes.append(x.shape) or x, lambda x: x):
            transport_loss(p, q, scale * cost, iterations=iterations, tolerance=0.0)
        return shapes

    assert kept(1) == kept(200) == [p.shape, q.shape]


def test_half_precision_changes_arguments_only() -> None:
    p, q, cost = _problem(4, 6, 5, torch.float32)
    with torch.autocast("cpu", torch.bfloat16):
        under_autocast = transport_loss(p, q, cost)
    assert torch.equal(under_autocast, transport_loss(p, q, cost))
    halves = [x.bfloat16() for x in (p, q, cost)]
    torch.testing.assert_close(transport_loss(*halves), transport_loss(*(x.float() for x in halves)))


def test_says_once_what_to_change() -> None:
    p, q, cost = _problem(3, 7, 4)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for _ in range(3):
            transport_loss(p, q, cost, sharpness=500.0, iterations=2)
    assert [str(w.message) for w in caught] == [
        "Optimal transport does not meet its marginals to 0.0001 within 2 iterations: "
        "divide the cost by its maximum, lower the sharpness, or raise the iterations or the tolerance."
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        transport_loss(p, q, cost, sharpness=500.0, iterations=2, tolerance=0.0)
        transport_loss(p, q, cost)


def test_options_are_checked() -> None:
    p, q, cost = _problem(1, 2, 2)
    for sharpness in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(ValueError, match="positive"):
            transport_loss(p, q, cost, sharpness=sharpness)
    with pytest.raises(ValueError, match="iterations"):
        transport_plan(p, q, cost, iterations=0)


def test_an_empty_class_has_a_millionth_of_a_millionth() -> None:
    """To a single column, the plan is p, and the gradient log p / λ but for its mean."""
    p, q = torch.tensor([[1.0, 0.0]], dtype=torch.float64, requires_grad=True), torch.ones(1, 1, dtype=torch.float64)
    cost = torch.zeros(2, 1, dtype=torch.float64)
    plan = transport_plan(p, q, cost)
    assert plan.flatten().tolist() == pytest.approx([1, 1e-12], rel=1e-6, abs=0)
    transport_loss(p, q, cost, sharpness=5.0).backward()
    assert p.grad is not None
    assert p.grad.flatten().tolist() == pytest.approx([6 * math.log(10) / 5, -6 * math.log(10) / 5])


def _columns_unmet(p: Tensor, q: Tensor, scaled: Tensor, iterations: int) -> Tensor:
    """How far columns are from q after iterations of Sinkhorn's from nothing, on logarithms."""
    f = torch.zeros_like(p)
    for _ in range(iterations):
        g = q.log() - (f[:, :, None] - scaled).logsumexp(1)
        f = p.log() - (g[:, None] - scaled).logsumexp(2)
    return ((f[:, :, None] - scaled + g[:, None]).exp().sum(1) - q).abs().sum(1)


@pytest.mark.filterwarnings("error")
def test_stages_meet_marginals_in_fewer_iterations() -> None:
    """Where λC spans thousands, each stage starts where the one of a smaller λ ended."""
    p, q, cost = _problem(4, 5, 5)
    p, q, cost = p[[0, 2, 3]], q[[0, 2, 3]], 40 * cost
    assert (_columns_unmet(p, q, 30 * cost, 100) > 0.01).all()
    plan = transport_plan(p.float(), q.float(), cost.float(), iterations=100)
    assert ((plan.sum(1) - q).abs().sum(1) < 1e-4).all()


@pytest.mark.parametrize("sample", range(4))
def test_warns_of_the_marginals_that_the_plan_has(sample: int) -> None:
    """Also where scalings leave the range of single precision, and say nothing of how far the stages came."""
    p, q, cost = (x.float() for x in _problem(4, 5, 5))
    p, q = p[sample : sample + 1], q[sample : sample + 1]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        plan = transport_plan(p, q, 40 * cost, iterations=100, tolerance=1e-4)
    assert bool(caught) == ((plan.sum(1) - q).abs().sum() > 1e-4)
    assert bool(caught) == (sample == 1)
