"""Weights of several kernels that let a two-sample test tell two distributions apart."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def kernel_weights(
    statistics: Float[Tensor, "*pairs kernels"],
    covariance: Float[Tensor, "*pairs kernels kernels"],
    *,
    ridge: float = 1e-4,
) -> Float[Tensor, "*pairs kernels"]:
    r"""Weights $\beta \ge 0$ of sum 1 under which the statistic is largest in units of its standard deviation.

    $$\max_\beta \frac{d^\top \beta}{\sqrt{\beta^\top (Q + \epsilon I) \beta}}, \qquad \text{as} \qquad
    \min_\beta \beta^\top (Q + \epsilon I) \beta \quad \text{where} \quad d^\top \beta = 1, \quad \beta \ge 0$$

    and divided by their sum; all equal where no $d_u$ is positive, so that no weights make the statistic so.

    On the kernels with a positive weight, these are proportional to $(Q + \epsilon I)^{-1} d$ of those kernels alone.
    So the solution is the best of such over all sets of kernels: exact, for all pairs at once, and fast for the few
    kernels that are usual (the sets double with every kernel).

    Source: Gretton et al., "Optimal kernel choice for large-scale two-sample tests", section 4, with its
    $\epsilon = 10^{-4}$; Lu et al., "Optimal transport for deep joint transfer learning", eq. (13).

    Args:
        statistics: d, the statistic under each kernel alone.
        covariance: Q, of the kernels' terms whose mean the statistic is.
        ridge: $\epsilon$.

    Without covariance, weights grow with the statistic:

    >>> kernel_weights(torch.tensor([3.0, 1.0, -1.0]), torch.zeros(3, 3), ridge=1.0)
    tensor([0.7500, 0.2500, 0.0000])
    """
    kernels = statistics.shape[-1]
    identity = torch.eye(kernels, dtype=statistics.dtype, device=statistics.device)
    places = torch.arange(kernels, device=statistics.device)
    sets = (torch.arange(1, 2**kernels, device=statistics.device)[:, None] >> places & 1).bool()
    # Kernels outside a set stand apart, in equations β_u = 0.
    ridged = (covariance + ridge * identity).unsqueeze(-3)
    quadratic = torch.where(sets[:, :, None] & sets[:, None], ridged, torch.diag_embed((~sets).to(statistics.dtype)))
    d = torch.where(sets, statistics.unsqueeze(-2), 0.0)
    solutions = torch.linalg.solve_ex(quadratic, d[..., None]).result.squeeze(-1)
    power = torch.where((solutions >= 0).all(dim=-1), (solutions * d).sum(dim=-1), 0.0)
    power, best = power.max(dim=-1, keepdim=True)
    solution = solutions.take_along_dim(best[..., None], dim=-2).squeeze(-2)
    return torch.where(power > 0, solution / solution.sum(dim=-1, keepdim=True), 1 / kernels)
