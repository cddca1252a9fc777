"""What the optimal transport loss costs, forward and backward, over the bare matrix scaling that it cannot do without.

All run the same number of iterations in single precision on the same distributions with λ = 30 and costs in [0, 1], and
give the gradient to both arguments. All are timed in turn, round by round; ratios are medians over rounds of the ratio
within a round. The error is that of the gradients, relative to those of the bare scaling after 10000 iterations in
double precision. geomloss is timed where it is installed; it anneals in a few steps of its own instead.

    OMP_NUM_THREADS=1 python benchmarks/transport_speed.py [--iterations 100] [--rounds 5]
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import time
import warnings
from collections.abc import Callable

import ot
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from isthmus.functional.transport import transport_loss

SIZES = [(128, 78, 22), (8, 1000, 200)]
SHARPNESS = 30.0
CONVERGED = 10_000
BARE = "bare scaling, analytic gradient"

Gradients = tuple[Tensor, Tensor]
Solver = Callable[[Tensor, Tensor, Tensor, int], Gradients]


def bare(p: Tensor, q: Tensor, cost: Tensor, iterations: int) -> Gradients:
    """Algorithm 1 of JTLN as it stands: no look at the marginals, no care for the range of numbers."""
    with torch.no_grad():
        kernel = torch.exp(-SHARPNESS * cost)
        transposed = kernel.T.contiguous()
        u = torch.ones_like(p)
        for _ in range(iterations):
            v = q / (u @ kernel)
            u = p / (v @ transposed)
        (u * (v @ (kernel * cost).T)).sum(1).mean()
        f, g = u.log() / SHARPNESS, v.log() / SHARPNESS
        return _centred(f / len(p)), _centred(g / len(p))


def ours(p: Tensor, q: Tensor, cost: Tensor, iterations: int) -> Gradients:
    return _backward(
        lambda p, q: transport_loss(p, q, cost, sharpness=SHARPNESS, iterations=iterations, tolerance=0.0), p, q
    )


def unrolled(p: Tensor, q: Tensor, cost: Tensor, iterations: int) -> Gradients:
    """Iterations in the logarithmic domain, kept for automatic differentiation of the dual value."""

    def loss(p: Tensor, q: Tensor) -> Tensor:
        scaled, log_p, log_q = SHARPNESS * cost, p.log(), q.log()
        f = torch.zeros_like(p)
        for _ in range(iterations):
            g = log_q - (f[:, :, None] - scaled).logsumexp(1)
            f = log_p - (g[:, None, :] - scaled).logsumexp(2)
        return ((p * f).sum(1) + (q * g).sum(1)) / SHARPNESS

    return _backward(loss, p, q)


def pot_batch(method: str) -> Solver:
    """Differentiated through its iterations: its envelope gives the gradient to the cost alone."""

    def solve(p: Tensor, q: Tensor, cost: Tensor, iterations: int) -> Gradients:
        def loss(p: Tensor, q: Tensor) -> Tensor:
            costs = cost.expand(len(p), -1, -1)
            solved = ot.solve_batch(
                costs, 1 / SHARPNESS, p, q, max_iter=iterations, tol=0.0, method=method, grad="autodiff"
            )
            value: Tensor = solved.value
            return value

        return _backward(loss, p, q)

    return solve


def pot_potentials(p: Tensor, q: Tensor, cost: Tensor, iterations: int) -> Gradients:
    """The gradient taken from its potentials by hand; those of its other method are not of this kind."""
    solved = ot.solve_batch(
        cost.expand(len(p), -1, -1), 1 / SHARPNESS, p, q, iterations, 0.0, method="log_sinkhorn", grad="detach"
    )
    f, g = (potential.view_as(x) / SHARPNESS / len(p) for potential, x in zip(solved.potentials, (p, q)))
    return _centred(f), _centred(g)


def pot_loop(p: Tensor, q: Tensor, cost: Tensor, iterations: int) -> Gradients:
    """A call of ot.sinkhorn for each sample, differentiated through its iterations."""

    def loss(p: Tensor, q: Tensor) -> Tensor:
        plans = [ot.sinkhorn(a, b, cost, 1 / SHARPNESS, numItermax=iterations, stopThr=0.0) for a, b in zip(p, q)]
        plan = torch.stack(plans)
        return (plan * cost).sum((1, 2)) - _entropy(plan) / SHARPNESS

    return _backward(loss, p, q)


def geomloss_samples(p: Tensor, q: Tensor, cost: Tensor, iterations: int) -> Gradients:
    """Classes are points whose cost is looked up, which needs unlike numbers of them; without debiasing."""
    from geomloss import SamplesLoss

    rows, columns = (torch.arange(n, dtype=p.dtype)[None, :, None].expand(len(p), -1, -1) for n in cost.shape)

    def looked_up(x: Tensor, y: Tensor) -> Tensor:
        return (cost if x.shape[-2] == len(cost) else cost.T).expand(len(x), -1, -1)

    solver = SamplesLoss(
        "sinkhorn", p=1, blur=1 / SHARPNESS, cost=looked_up, debias=False, backend="tensorized", diameter=1.0
    )
    # Its entropy is relative to that of p and q.
    return _backward(lambda p, q: solver(p, rows, q, columns) - (_entropy(p) + _entropy(q)) / SHARPNESS, p, q)


def _backward(loss: Callable[[Tensor, Tensor], Tensor], p: Tensor, q: Tensor) -> Gradients:
    p, q = p.clone().requires_grad_(), q.clone().requires_grad_()
    loss(p, q).mean().backward()
    assert p.grad is not None
    assert q.grad is not None
    return p.grad, q.grad


def _entropy(masses: Tensor) -> Tensor:
    return torch.special.entr(masses).flatten(1).sum(1)


def _centred(x: Tensor) -> Tensor:
    return x - x.mean(1, keepdim=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--iterations", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # POT's, that a fixed number of iterations did not converge

    solvers: dict[str, Solver] = {BARE: bare, "isthmus": ours, "unrolled, logarithmic": unrolled}
    if hasattr(ot, "solve_batch"):
        solvers |= {f"POT, solve_batch, {method}": pot_batch(method) for method in ("sinkhorn", "log_sinkhorn")}
        solvers["POT, solve_batch, log_sinkhorn's potentials"] = pot_potentials
    solvers["POT, loop over sinkhorn"] = pot_loop
    if importlib.util.find_spec("geomloss"):
        solvers["geomloss"] = geomloss_samples

    for batch, rows, columns in SIZES:
        random = torch.Generator().manual_seed(0)
        p, q = (torch.randn(batch, n, generator=random).mul(2).softmax(1) for n in (rows, columns))
        cost = torch.rand(rows, columns, generator=random)
        exact = bare(p.double(), q.double(), cost.double(), CONVERGED)
        seconds: dict[str, list[float]] = {name: [] for name in solvers}
        errors: dict[str, float] = {}
        for round_number in range(-1, options.rounds):  # the first warms up
            for name, solver in solvers.items():
                started = time.perf_counter()
                gradients = solver(p, q, cost, options.iterations)
                if round_number >= 0:
                    seconds[name].append(time.perf_counter() - started)
                errors[name] = max(
                    ((_centred(x.double()) - y).norm() / y.norm()).item() for x, y in zip(gradients, exact)
                )
        table = Table(title=f"{batch} samples, {rows} × {columns} classes, {options.iterations} iterations")
        for heading in ("", "× bare", "× isthmus", "error"):
            table.add_column(heading, justify="right" if heading else "left")
        for name in solvers:
            ratios = [
                statistics.median(s / other for s, other in zip(seconds[name], seconds[reference]))
                for reference in (BARE, "isthmus")
            ]
            table.add_row(name, *(f"{ratio:.2f}" for ratio in ratios), f"{errors[name]:.0e}")
        Console().print(table)


if __name__ == "__main__":
    main()
