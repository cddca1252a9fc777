"""Costs between categories against loops over pairs in double precision, SciPy's optimiser and POT's solvers."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, get_args

import numpy as np
import ot
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.spatial.distance import cdist, cosine, pdist, sqeuclidean, squareform
from torch import Tensor

from isthmus.functional.category_blocks import CategorySamples
from isthmus.functional.category_costs import Metric, category_costs
from isthmus.functional.category_mmd import category_mmd
from isthmus.functional.category_transport import category_transport
from isthmus.functional.kernel_power import kernel_weights
from isthmus.functional.kernels import mmd

METRICS: tuple[Metric, ...] = get_args(Metric)
COUNTS_S, COUNTS_T = (7, 2, 12, 5), (4, 9, 2)
Array = np.ndarray[Any, Any]


class Data:
    """Two domains of unequal categories in a mixed order, far from the origin."""

    def __init__(self, counts_s: tuple[int, ...] = COUNTS_S, counts_t: tuple[int, ...] = COUNTS_T, seed: int = 0):
        self.random = torch.Generator().manual_seed(seed)
        self.source, self.target = self._domain(counts_s), self._domain(counts_t)
        self.both = CategorySamples(*self.source, len(counts_s)), CategorySamples(*self.target, len(counts_t))

    def _domain(self, counts: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        labels = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
        labels = labels[torch.randperm(len(labels), generator=self.random)]
        centres = torch.randn(len(counts), 3, generator=self.random, dtype=torch.float64)
        samples = torch.randn(len(labels), 3, generator=self.random, dtype=torch.float64)
        return samples + centres[labels] + 5, labels

    def pairs(self) -> list[list[tuple[Tensor, Tensor]]]:
        groups_s, groups_t = (
            [features[labels == label] for label in range(int(labels.max()) + 1)]
            for features, labels in (self.source, self.target)
        )
        return [[(x, y) for y in groups_t] for x in groups_s]


def ladder(x: Tensor, y: Tensor, kernels: int) -> tuple[Array, Array]:
    """Squared distances of all samples of a pair, and the bandwidths."""
    distances = pdist(torch.cat([x, y]), "sqeuclidean")
    return squareform(distances), distances.mean() * 2.0 ** (np.arange(kernels)[::-1] - kernels // 2)


def terms(x: Tensor, y: Tensor, kernels: int) -> Array:
    """Terms g of the quadruples under each kernel, (kernels, n/2)."""
    distances, bandwidths = ladder(x, y, kernels)
    found = []
    for i in range(1, min(len(x), len(y)) // 2 + 1):
        s1, s2, t1, t2 = 2 * i - 2, 2 * i - 1, len(x) + 2 * i - 2, len(x) + 2 * i - 1
        k = np.exp(-distances / bandwidths[:, None, None])
        found.append(k[:, s1, s2] + k[:, t1, t2] - k[:, s1, t2] - k[:, s2, t1])
    return np.array(found).T


def quadratic(x: Tensor, y: Tensor, kernels: int) -> Array:
    """The unbiased estimate under each kernel."""
    distances, bandwidths = ladder(x, y, kernels)
    k = np.exp(-distances / bandwidths[:, None, None])
    n, every = len(x), np.arange(len(distances))
    off = every[:, None] != every
    ss, tt = ((k[:, a, a] * off[a, a]).sum((1, 2)) for a in (slice(0, n), slice(n, None)))
    m = len(y)
    return ss / (n * (n - 1)) + tt / (m * (m - 1)) - 2 * k[:, :n, n:].mean((1, 2))


def most_powerful(d: Array, covariance: Array, ridge: float = 1e-4) -> Array:
    """The quadratic programme by SciPy, from several starts."""
    if (d <= 0).all():
        return np.full(len(d), 1 / len(d))
    matrix, unit = covariance + ridge * np.eye(len(d)), d.max()
    starts = [np.where(np.arange(len(d)) == d.argmax(), 1.0, 0.0), np.where(d > 0, 1 / (d > 0).sum(), 0.0)]
    solutions = [
        minimize(
            lambda b: b @ matrix @ b / np.trace(matrix),
            start / (start @ d / unit),
            jac=lambda b: 2 * matrix @ b / np.trace(matrix),
            bounds=[(0, None)] * len(d),
            constraints={"type": "eq", "fun": lambda b: b @ d / unit - 1, "jac": lambda b: d / unit},
            method="SLSQP",
            options={"ftol": 1e-15, "maxiter": 1000},
        )
        for start in starts
    ]
    best = min(solutions, key=lambda solution: float(solution.fun)).x
    return best / best.sum()


@given(kernels=st.integers(1, 6), terms=st.integers(2, 30), shift=st.floats(-0.5, 1), seed=st.integers(0, 2**20))
def test_weights_are_scipys(kernels: int, terms: int, shift: float, seed: int) -> None:
    random = np.random.default_rng(seed)
    g = random.normal(size=(3, kernels, terms)) @ np.diag(random.uniform(0.1, 1, terms)) + shift
    d, covariance = g.mean(2), np.stack([np.cov(each).reshape(kernels, kernels) for each in g])
    weights = kernel_weights(torch.from_numpy(d), torch.from_numpy(covariance), ridge=1e-2)
    for found, means, matrix in zip(weights.numpy(), d, covariance):
        expected = most_powerful(means, matrix, ridge=1e-2)
        np.testing.assert_allclose(found, expected, atol=2e-4)
        assert (found >= 0).all()
        assert found.sum() == pytest.approx(1)


@pytest.mark.parametrize("kernels", [1, 4, 5])
@pytest.mark.parametrize("weights", ["power", "uniform"])
def test_mkmmd_is_its_definition(kernels: int, weights: Any) -> None:
    """Also below zero, and with categories of one quadruple, whose terms have no covariance."""
    data = Data()
    linear, all_pairs = (
        category_mmd(*data.both, estimate=estimate, weights=weights, kernels=kernels)
        for estimate in ("linear", "quadratic")
    )
    for a, row in enumerate(data.pairs()):
        for b, (x, y) in enumerate(row):
            g = terms(x, y, kernels)
            covariance = np.cov(g).reshape(kernels, kernels) if g.shape[1] > 1 else np.zeros((kernels, kernels))
            beta = most_powerful(g.mean(1), covariance) if weights == "power" else np.full(kernels, 1 / kernels)
            assert linear[a, b].item() == pytest.approx(beta @ g.mean(1), abs=1e-5 if weights == "power" else 1e-12)
            expected = beta @ quadratic(x, y, kernels)
            assert all_pairs[a, b].item() == pytest.approx(expected, abs=1e-5 if weights == "power" else 1e-12)
    assert (linear < 0).any()


@pytest.mark.parametrize("estimate", ["linear", "quadratic"])
def test_uniform_weights_are_mmd_of_the_pair(estimate: Any) -> None:
    data = Data(seed=1)
    found = category_mmd(*data.both, estimate=estimate, weights="uniform", kernels=4)
    unbiased = "linear" if estimate == "linear" else "unbiased"
    expected = [[mmd(x, y, kernels=4, estimate=unbiased).item() / 4 for x, y in row] for row in data.pairs()]
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("estimate", ["linear", "quadratic"])
def test_mkmmd_of_categories_whose_samples_are_all_equal(estimate: Any) -> None:
    """Nothing is apart but the categories: of a pair at squared distance D, a share of all distances is D, others 0."""
    points = 10 * torch.rand(2, 40, generator=torch.Generator().manual_seed(0))
    source = CategorySamples(points.repeat_interleave(6, dim=0), torch.arange(2).repeat_interleave(6), 2)
    target = CategorySamples(points.repeat_interleave(5, dim=0), torch.arange(2).repeat_interleave(5), 2)
    share = 6 * 5 / math.comb(11, 2)
    d = 2 - 2 * np.exp(-1 / (share * 2.0 ** np.arange(-2, 3)))
    apart = most_powerful(d, np.zeros((5, 5))) @ d
    costs = category_mmd(source, target, estimate=estimate)
    np.testing.assert_allclose(costs, [[0, apart], [apart, 0]], atol=0.05)
    np.testing.assert_allclose(costs.fliplr().diagonal(), apart, rtol=1e-4)


@pytest.mark.parametrize("estimate", ["linear", "quadratic"])
@pytest.mark.parametrize("spread", [1e-2, 1e-3, 1e-4, 1e-5])
def test_mkmmd_of_tight_categories_is_bounded(estimate: Any, spread: float) -> None:
    """As those of a network are that fits its training samples: no difference of kernels is above 2."""
    data = Data((9, 12, 10), (9, 12, 10))
    tight = [
        CategorySamples((10 * side.labels[:, None] + spread * side.features).float(), side.labels, 3)
        for side in data.both
    ]
    costs = category_mmd(*tight, estimate=estimate)
    assert costs.abs().max() <= 2
    assert (costs.argmin(dim=1) == torch.arange(3)).all()


@pytest.mark.parametrize("estimate", ["linear", "quadratic"])
def test_mkmmd_knows_no_unit(estimate: Any) -> None:
    """Features may all be as small as weight decay makes them: powers of two round nothing."""
    data = Data((9, 6), (8, 7))
    expected = category_mmd(*data.both, estimate=estimate)
    assert (expected.abs() > 0.01).all()
    for unit in (2.0**-30, 2.0**30):
        scaled = [replace(side, features=unit * side.features) for side in data.both]
        torch.testing.assert_close(category_mmd(*scaled, estimate=estimate), expected)


@pytest.mark.parametrize("sharpness", [1.0, 10.0, 30.0])
def test_transport_equals_pots(sharpness: float) -> None:
    data = Data((*COUNTS_S, 1))
    options = {"sharpness": sharpness, "iterations": 20000, "tolerance": 1e-10}
    found = category_transport(*data.both, **options)
    for a, row in enumerate(data.pairs()):
        for b, (x, y) in enumerate(row):
            cost = cdist(x, y, "sqeuclidean")
            masses, scaled = (ot.unif(len(x)), ot.unif(len(y))), cost / cost.max()
            plan = ot.sinkhorn(*masses, scaled, 1 / sharpness, numItermax=20000, stopThr=1e-10)
            assert found[a, b].item() == pytest.approx((plan * cost).sum(), rel=1e-6)


@pytest.mark.filterwarnings("error")
def test_transport_tends_to_the_exact_distance_as_entropy_vanishes() -> None:
    data = Data()
    options = {"sharpness": 100.0, "iterations": 20000, "tolerance": 1e-3}
    found = category_transport(*data.both, **options)
    for a, row in enumerate(data.pairs()):
        for b, (x, y) in enumerate(row):
            cost = cdist(x, y, "sqeuclidean")
            exact = ot.emd2(ot.unif(len(x)), ot.unif(len(y)), cost)
            excess = (found[a, b].item() - exact) / cost.max()
            assert -1e-3 < excess < math.log(cost.size) / 100 + 1e-3


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("sharpness", [30.0, 44.0, 60.0])
def test_transport_in_single_precision(sharpness: float) -> None:
    """To both sides of where the logarithmic domain begins, with one far sample that squeezes all other costs."""
    data = Data()
    data.source[0][3] += 40
    options = {"sharpness": sharpness, "iterations": 5000, "tolerance": 1e-5}
    expected = category_transport(*data.both, **options)
    single = category_transport(*(replace(x, features=x.features.float()) for x in data.both), **options)
    torch.testing.assert_close(single.double(), expected, rtol=1e-3, atol=1e-4)


def test_transport_says_what_to_change() -> None:
    data = Data()
    with pytest.warns(UserWarning, match="0.0001 within 1 iterations: lower the sharpness"):
        category_transport(*data.both, iterations=1)
    for options in ({"sharpness": 0.0}, {"sharpness": math.inf}, {"iterations": 0}):
        with pytest.raises(ValueError, match="give"):
            category_transport(*data.both, **options)


def test_one_pair_that_is_badly_met_is_enough_for_a_warning() -> None:
    """A single sample's marginals are met at once, those of eight are not."""
    with pytest.warns(UserWarning, match="within 1 iterations"):
        category_transport(*Data((1, 8), (5,)).both, iterations=1)


@pytest.mark.parametrize(("metric", "distance"), [("euclidean", sqeuclidean), ("cosine", cosine)])
def test_distances_of_means_are_scipys(metric: Any, distance: Any) -> None:
    data = Data((*COUNTS_S, 1))
    found = category_costs(*data.both, metric=metric)
    expected = [[distance(x.mean(0).numpy(), y.mean(0).numpy()) for x, y in row] for row in data.pairs()]
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64))


@pytest.mark.parametrize("metric", METRICS)
def test_neither_memory_nor_the_order_of_samples_or_classes_tells(metric: Metric) -> None:
    data, finished = Data(), list[int]()
    options: dict[str, Any] = {"tolerance": 1e-12, "iterations": 5000} if metric == "ot" else {}
    if metric == "mkmmd_quadratic":
        options["weights"] = "uniform"
    options["metric"] = metric
    expected = category_costs(*data.both, **options, on_progress=finished.append)
    assert finished == [12]
    for memory in (1, 5000, 50_000):
        finished.clear()
        costs = category_costs(*data.both, **options, memory=memory, on_progress=finished.append)
        torch.testing.assert_close(costs, expected)
        assert finished == sorted(set(finished))
        assert finished[-1] == 12
        assert memory > 1 or finished == list(range(1, 13))

    (features, labels), target = data.source, data.both[1]
    order = labels.argsort(stable=True)  # the linear estimate takes the samples of a class as they come
    renamed = torch.tensor([2, 0, 3, 1])
    costs = category_costs(CategorySamples(features[order], renamed[labels[order]], 4), target, **options)
    torch.testing.assert_close(costs[renamed], expected)
    if metric != "mkmmd":
        order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(1))
        costs = category_costs(CategorySamples(features[order], labels[order], 4), target, **options)
        torch.testing.assert_close(costs, expected)


@pytest.mark.parametrize("metric", METRICS)
def test_lower_precision_far_from_the_origin_and_autocast(metric: Metric) -> None:
    data = Data((20, 30), (24, 16))
    far = 1000.0 if metric != "cosine" else 0.0
    features_s, features_t = ((x + far).float() for x in (data.source[0], data.target[0]))

    def costs(*features: Tensor) -> Tensor:
        source, target = (replace(both, features=x) for both, x in zip(data.both, features))
        return category_costs(source, target, metric=metric)

    expected = costs(features_s.double(), features_t.double())
    single = costs(features_s, features_t)
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), expected, rtol=1e-3, atol=1e-3)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(costs(features_s, features_t), single)
    halves = [x.bfloat16() for x in (data.source[0], data.target[0])]
    assert torch.equal(costs(*halves), costs(*(x.float() for x in halves)))


@pytest.mark.parametrize("metric", METRICS)
def test_costs_are_never_negative(metric: Metric) -> None:
    """Between samples of one distribution, where unbiased estimates are so half the time, and equal ones."""
    labels = torch.arange(8).repeat_interleave(4)
    features = torch.randn(64, 2, generator=torch.Generator().manual_seed(0))

    def costs_of(features: Tensor) -> Tensor:
        source, target = (CategorySamples(half, labels, 8) for half in features.split(32))
        return category_costs(source, target, metric=metric, sharpness=5.0)

    costs = costs_of(features)
    assert (costs >= 0).all()
    assert (costs > 0).any()
    costs = costs_of(torch.ones_like(features))
    torch.testing.assert_close(costs, torch.zeros(8, 8))


@pytest.mark.parametrize("metric", METRICS)
def test_what_is_refused(metric: Metric) -> None:
    least = 2 if metric.startswith("mkmmd") else 1
    data = Data((3, 4, least - 1, 2), (3, 3))
    data.source[1][data.source[1] > 3] = 0
    with pytest.raises(
        ValueError, match=f"at least {least} samples? of each source class, but got {least - 1} of class 2"
    ):
        category_costs(*data.both, metric=metric)
    source, target = Data((3, 3), (3, 3)).both
    with pytest.raises(ValueError, match="target labels from 0 to 0, but got 0 to 1"):
        category_costs(source, replace(target, classes=1), metric=metric)
