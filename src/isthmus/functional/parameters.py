"""Networks of one architecture as points: how far apart their parameters are, and weighted means of them.

A network's parameters are a row of tensors, those of all networks alike in shapes. Each is read once, in chunks that
stay in the cache, whatever the number of networks. All is computed from differences to the first network: networks
that come from one initialisation differ little.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

CHUNK = 2**13
"""Parameters of each network that are looked at together: few enough to stay in the cache."""

ROUNDING = 1e-13
"""Squared distances below this part of what they are the difference of are nothing but rounding."""


def squared_distances(rows: Sequence[tuple[Tensor, ...]]) -> Float[Tensor, "n n"]:
    r"""$\lVert \theta_i - \theta_j \rVert^2$ between n networks, on the CPU in double precision: one Gram matrix.

    Differences are taken before anything is squared, so that equal networks are at distance zero exactly. The matrix is
    summed in double precision where the device has it.

    Args:
        rows: the parameters of each network.

    >>> squared_distances([(torch.zeros(2),), (torch.ones(2),)])
    tensor([[0., 2.],
            [2., 0.]], dtype=torch.float64)
    """
    device = rows[0][0].device
    precision = torch.float32 if device.type == "mps" else torch.float64
    gram = torch.zeros(len(rows), len(rows), dtype=precision, device=device)
    for chunk in _chunks(rows):
        differences = torch.stack(chunk).to(precision)
        differences -= differences[0].clone()
        gram += differences @ differences.T
    gram = gram.cpu().double()
    norms = gram.diagonal()
    sums = norms[:, None] + norms
    squared = sums - 2 * gram
    squared = torch.where(squared > ROUNDING * sums, squared, 0.0)
    return ((squared + squared.T) / 2).fill_diagonal_(0.0)


def weighted_means(
    rows: Sequence[tuple[Tensor, ...]], shares: Float[Tensor, "means n"], wanted: Sequence[int]
) -> list[list[Tensor]]:
    r"""Several weighted means $\sum_j s_{kj} \theta_j$ at once, by one product of matrices.

    Equal tensors have themselves for a mean exactly. The product is always that of all means: how its sums are rounded
    may depend on its size, and a mean must be the same bits in every process, whichever others are wanted there.

    Args:
        rows: the parameters of each network.
        shares: $s_{kj}$; those of a mean sum to 1.
        wanted: which of the means.

    >>> weighted_means([(torch.zeros(2),), (torch.ones(2),)], torch.tensor([[0.5, 0.5], [0.25, 0.75]]), [1])
    [[tensor([0.7500, 0.7500])]]
    """
    means: list[list[Tensor]] = [[] for _ in wanted]
    for tensors in zip(*rows):
        whole = tensors[0].new_empty(len(wanted), tensors[0].numel())
        for chunk, part in zip(_chunks([(tensor,) for tensor in tensors]), whole.split(CHUNK, dim=1)):
            differences = torch.stack(chunk)
            first = differences[0].clone()
            differences -= first
            part.copy_(torch.addmm(first, shares.to(differences), differences)[wanted])
        for own, mean in zip(means, whole):
            own.append(torch.empty_like(tensors[0]).copy_(mean.view(tensors[0].shape)))  # laid out like the parameters
    return means


def running_means(
    rows: Sequence[tuple[Tensor, ...]], shares: Float[Tensor, "means n"], wanted: Sequence[int]
) -> list[list[Tensor]]:
    """The same, one mean after another and each from one network to the next: cheaper where there is only one.

    It reads all that has a share, and writes nothing but the mean itself.

    Args:
        rows: the parameters of each network.
        shares: those of a mean sum to 1.
        wanted: which of the means.

    >>> running_means([(torch.zeros(2),), (torch.ones(2),)], torch.tensor([[0.25, 0.75]]), [0])
    [[tensor([0.7500, 0.7500])]]
    """
    means = []
    for each in shares[wanted].tolist():
        mean, total = [torch.zeros_like(tensor) for tensor in rows[0]], 0.0
        for tensors, share in zip(rows, each):
            if share > 0:
                total += share
                torch._foreach_lerp_(mean, list(tensors), [share / total] * len(mean))
        means.append(mean)
    return means


def _chunks(rows: Sequence[tuple[Tensor, ...]]) -> Iterator[tuple[Tensor, ...]]:
    """The same part of every network's parameters, (n,) of vectors, part by part."""
    for tensors in zip(*rows):
        yield from zip(*(tensor.reshape(-1).split(CHUNK) for tensor in tensors))
