r"""Optimal transport between batches of distributions over two sets of classes, with an entropic term.

$$\min_\gamma \langle \gamma, C \rangle + \frac1\lambda \sum_{ij} \gamma_{ij} \log \gamma_{ij},
\qquad \gamma 1 = p, \quad \gamma^\top 1 = q, \quad \gamma \ge 0$$

The plan is $\gamma = \mathrm{diag}(u)\, e^{-\lambda C}\, \mathrm{diag}(v)$. One cost matrix serves the whole batch, so
that an iteration of matrix scaling is two matrix products. Where scalings leave the range of the number format,
samples, and only those, go on with a kernel that has absorbed their potentials $\log u$ and $\log v$, and in the
logarithmic domain where even that does not do.

Source: Lu, Chen, Saidi, "Optimal transport for deep joint transfer learning", eqs. (6) to (11) and algorithm 1 (with
the sign of the entropy put right); absorption and a λ that grows in stages, Schmitzer, "Stabilized sparse scaling
algorithms for entropy regularized transport problems".
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from isthmus.functional.precision import widened

FLOOR = 1e-12
"""Masses below it count as this much: the potential of an empty class would be −∞."""

CHUNK = 10
"""Iterations between two looks at the marginals."""

MILD = 30.0
"""Where scalings leave the range, λ starts so low that no two entries of λC are further apart, and grows in stages."""

GROWTH = 4
"""How much λ grows from one such stage to the next."""


def transport_loss(
    p: Float[Tensor, "batch source"],
    q: Float[Tensor, "batch target"],
    cost: Float[Tensor, "source target"],
    *,
    sharpness: float = 30.0,
    iterations: int = 1000,
    tolerance: float = 1e-4,
    entropy: bool = False,
) -> Float[Tensor, "batch"]:
    r"""What it costs to turn p into q, $\langle \gamma, C \rangle$ of the plan of least regularised cost.

    The gradient is that of the regularised cost by the envelope theorem, with no iteration unrolled:

    $$\frac{\partial}{\partial p} = \frac{\log u}\lambda - \text{mean}, \qquad
    \frac{\partial}{\partial q} = \frac{\log v}\lambda - \text{mean}$$

    It is tangent to the simplex, because only differences between potentials are determined. The cost gets no gradient.

    Source: Lu, Chen, Saidi, "Optimal transport for deep joint transfer learning", algorithm 1 and eq. (11). All mass of
    one class to one other class:

    >>> p, q = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 0.0, 1.0]])
    >>> round(transport_loss(p, q, torch.tensor([[0.1, 0.2, 0.3], [0.0, 0.0, 0.0]])).item(), 4)
    0.3

    Args:
        p: Distributions over the rows of the cost. They are divided by their sums; zeros count as 1e-12.
        q: Distributions over its columns.
        cost: One number per pair of classes, finite, of any sign. The larger λ times its range, the slower marginals
            are met, and the more rounding tells: above a few thousand, give it in double precision.
        sharpness: λ, the inverse weight of the entropic term, in units of 1 / cost.
        iterations: At most so many; then a warning says that marginals are not met.
        tolerance: Stop once every sample's marginals are met to this L1 distance. With 0, all iterations are run, and
            without a warning.
        entropy: Add the entropic term to the value, so that it is the function whose gradient this is.
    """
    check_options(sharpness, iterations)
    loss: Tensor = _Transport.apply(p, q, cost, sharpness, iterations, tolerance, entropy)
    return loss


@torch.no_grad()
def transport_plan(
    p: Float[Tensor, "batch source"],
    q: Float[Tensor, "batch target"],
    cost: Float[Tensor, "source target"],
    *,
    sharpness: float = 30.0,
    iterations: int = 1000,
    tolerance: float = 1e-4,
) -> Float[Tensor, "batch source target"]:
    """The plan whose cost `transport_loss` gives, without gradient. Its rows sum to p, its columns about to q.

    >>> transport_plan(torch.tensor([[0.5, 0.5]]), torch.tensor([[0.25, 0.75]]), torch.zeros(2, 2))
    tensor([[[0.1250, 0.3750],
             [0.1250, 0.3750]]])
    """
    check_options(sharpness, iterations)
    with torch.autocast(p.device.type, enabled=False):
        p, q, cost = _distributions(p, q, cost)
        f, g, _ = _solved(p, q, sharpness * cost, iterations, tolerance)
        return plan_of(f, g, sharpness * cost)


class _Transport(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        p: Tensor,
        q: Tensor,
        cost: Tensor,
        sharpness: float,
        iterations: int,
        tolerance: float,
        entropy: bool,
    ) -> Tensor:
        ctx.dtypes = p.dtype, q.dtype
        with torch.autocast(p.device.type, enabled=False):
            p, q, cost = _distributions(p, q, cost)
            f, g, moved = _solved(p, q, sharpness * cost, iterations, tolerance)
            ctx.save_for_backward(
                (f - f.mean(1, keepdim=True)).div_(sharpness), (g - g.mean(1, keepdim=True)).div_(sharpness)
            )
            return ((p * f).sum(1) + (q * g).sum(1) if entropy else moved) / sharpness  # with entropy, by the dual

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (gradient,) = gradients
        by_p, by_q = (
            (gradient[:, None] * potential).to(dtype) if needed else None
            for potential, dtype, needed in zip(ctx.saved_tensors, ctx.dtypes, ctx.needs_input_grad)
        )
        return by_p, by_q, None, None, None, None, None


def check_options(sharpness: float, iterations: int) -> None:
    """Refuse what no iteration can work with.

    Raises:
        ValueError: an option out of range.
    """
    if not 0 < sharpness < float("inf"):
        raise ValueError(f"sharpness is {sharpness}: give a positive number")
    if iterations < 1:
        raise ValueError(f"iterations is {iterations}: give 1 at least")


def _distributions(p: Tensor, q: Tensor, cost: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """All in one precision, single at least; both distributions positive and of mass one."""
    dtype = torch.promote_types(torch.promote_types(p.dtype, q.dtype), widened(cost).dtype)
    p, q = (masses.to(dtype).clamp_min(FLOOR) for masses in (p, q))
    return p / p.sum(1, keepdim=True), q / q.sum(1, keepdim=True), cost.to(dtype)


def plan_of(
    f: Float[Tensor, "batch source"], g: Float[Tensor, "batch target"], scaled: Float[Tensor, "*samples source target"]
) -> Float[Tensor, "batch source target"]:
    """diag(u) exp(−λC) diag(v) from log u and log v, for one C or one a sample."""
    return (f[:, :, None] - scaled).add_(g[:, None, :]).exp_()


def _solved(
    p: Float[Tensor, "batch source"],
    q: Float[Tensor, "batch target"],
    scaled: Float[Tensor, "source target"],
    iterations: int,
    tolerance: float,
) -> tuple[Float[Tensor, "batch source"], Float[Tensor, "batch target"], Float[Tensor, "batch"]]:
    """Log u and log v for the kernel exp(−λC), and ⟨γ, λC⟩. They end on u, so that rows of the plan sum to p."""
    # What all entries of a row or a column share goes to the potentials; then each holds a 1 in the kernel at least.
    rows = scaled.amin(1)
    reduced = scaled - rows[:, None]
    columns = reduced.amin(0)
    reduced = reduced - columns

    kernel = torch.exp(-reduced)
    u, v, unmet, trusted = _scaled(p, q, kernel, iterations, tolerance)
    f, g, moved = u.log(), v.log(), (u * (v @ (kernel * reduced).T)).sum(1)
    if not trusted.all():
        left = ~trusted
        f[left], g[left], moved[left], unmet[left] = _absorbed(p[left], q[left], reduced, iterations, tolerance)
    if tolerance > 0 and (unmet > tolerance).any():
        warnings.warn(
            f"Optimal transport does not meet its marginals to {tolerance:g} within {iterations} iterations: "
            "divide the cost by its maximum, lower the sharpness, or raise the iterations or the tolerance.",
            stacklevel=2,
        )
    return f + rows, g + columns, moved + p @ rows + q @ columns


def _scaled(
    p: Float[Tensor, "batch source"],
    q: Float[Tensor, "batch target"],
    kernel: Float[Tensor, "*samples source target"],
    iterations: int,
    tolerance: float,
) -> tuple[Float[Tensor, "batch source"], Float[Tensor, "batch target"], Float[Tensor, "batch"], Bool[Tensor, "batch"]]:
    """Scalings u and v of one kernel, or of one a sample; how far columns are from q, and where to trust all this.

    Entries of the kernel below the smallest number are lost. No harm comes of it as long as u and v are too small to
    make a mass that counts of them.
    """
    backwards = kernel.mT.contiguous()
    samples = len(p)
    if kernel.ndim == 3:
        p, q = p[:, None], q[:, None]
    u, v = torch.ones_like(p), torch.ones_like(q)
    masses = u @ kernel
    for iteration in range(1, iterations + 1):
        v = q / masses
        u = p / (v @ backwards)
        masses = u @ kernel
        if tolerance > 0 and iteration % CHUNK == 0 and not (marginal_distance(v * masses, q) > tolerance).any():
            break
    smallest = torch.finfo(kernel.dtype).tiny
    largest = u.amax(-1) * v.amax(-1)
    trusted = (u.amin(-1) >= smallest) & (v.amin(-1) >= smallest) & largest.isfinite()
    trusted &= (largest < 1e-6 * FLOOR / smallest) | (kernel.amin() >= smallest)
    unmet = marginal_distance(v * masses, q)
    rows, columns = kernel.shape[-2:]
    return u.view(samples, rows), v.view(samples, columns), unmet.view(samples), trusted.view(samples)


def _absorbed(
    p: Float[Tensor, "batch source"],
    q: Float[Tensor, "batch target"],
    reduced: Float[Tensor, "source target"],
    iterations: int,
    tolerance: float,
) -> tuple[
    Float[Tensor, "batch source"], Float[Tensor, "batch target"], Float[Tensor, "batch"], Float[Tensor, "batch"]
]:
    """Log u, log v, ⟨γ, λC⟩ and how far columns are from q, where scalings alone leave the range.

    A chunk of iterations scales the plan of the chunk before. So that scalings stay small, λ grows in stages, each of
    which starts where the last one ended.
    """
    f, largest = torch.zeros_like(p), min(reduced.max().item(), torch.finfo(reduced.dtype).max)
    for stage in range(math.ceil(math.log(max(MILD, largest) / MILD, GROWTH)), -1, -1):
        part = reduced / GROWTH**stage
        f, g = logarithmic_scalings(p, q, part, f, 1)
        plan = plan_of(f, g, part)
        for done in range(0, CHUNK if stage else iterations, CHUNK):
            steps = min(CHUNK, iterations - done)
            u, v, _, trusted = _scaled(p, q, plan, steps, 0.0)
            before, f, g = f, f + u.log(), g + v.log()
            if not trusted.all():
                left = ~trusted
                f[left], g[left] = logarithmic_scalings(p[left], q[left], part, before[left], steps)
            plan = plan_of(f, g, part)
            unmet = marginal_distance(plan.sum(1), q)
            if tolerance > 0 and not (unmet > tolerance).any():
                break
        if stage:
            f = GROWTH * f
    return f, g, (plan * reduced).sum((1, 2)), unmet


def logarithmic_scalings(
    p: Float[Tensor, "batch source"],
    q: Float[Tensor, "batch target"],
    scaled: Float[Tensor, "*samples source target"],
    f: Float[Tensor, "batch source"],
    iterations: int,
) -> tuple[Float[Tensor, "batch source"], Float[Tensor, "batch target"]]:
    """Iterations from log u that no number can leave the range of, for an exponential an entry: log u and log v.

    The costs λC are one matrix, or one a sample.
    """
    for _ in range(iterations):
        g = q.log() - (f[:, :, None] - scaled).logsumexp(1)
        f = p.log() - (g[:, None, :] - scaled).logsumexp(2)
    return f, g


def marginal_distance(
    columns: Float[Tensor, "*batch target"], q: Float[Tensor, "*batch target"]
) -> Float[Tensor, "*batch"]:
    """How far the masses of columns are from what they should be, in L1."""
    return (columns - q).abs().sum(-1)
