"""What each of several processes does: its share of every batch, or all batches of some domains."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only

from isthmus.data.batches import Share
from isthmus.data.loaders import turns_per_epoch
from isthmus.data.problems import Problem
from isthmus.engine.meters import Sums, added
from isthmus.methods.base import Method
from isthmus.nn.processes import alone

if TYPE_CHECKING:
    from lightning.fabric import Fabric


@dataclass(frozen=True)
class Part:
    """What this process does of the training.

    Either all processes share every batch, and average its gradients; or each trains the networks of some domains, by
    itself, and they are exchanged after every epoch.

    Attributes:
        share: this process's share of the batches that it takes part in.
        domains: those whose batches they are.
        owners: the process that trains each domain's network; empty where all share every batch.
        networks: the groups of each domain's network, likewise.
    """

    share: Share
    domains: tuple[int, ...]
    owners: tuple[int, ...] = ()
    networks: tuple[tuple[str, ...], ...] = ()

    @property
    def elsewhere(self) -> tuple[str, ...]:
        """Groups that other processes train."""
        return tuple(name for place, names in enumerate(self.networks) if place not in self.domains for name in names)

    @torch.no_grad()
    def exchange(self, method: Method[Any]) -> None:
        """Bring every network, weights and statistics, from the process that trained it to all others."""
        groups = method.groups()
        for owner in sorted(set(self.owners)):
            of_owner = [name for names, other in zip(self.networks, self.owners) if other == owner for name in names]
            tensors = [t for name in of_owner for t in (*groups[name].parameters(), *groups[name].buffers())]
            for dtype in sorted({tensor.dtype for tensor in tensors}, key=str):
                _broadcast([tensor for tensor in tensors if tensor.dtype == dtype], owner)

    def company(self) -> AbstractContextManager[None]:
        """What training stands in, so that only processes that share batches gather them."""
        return alone() if self.owners else nullcontext()

    def summed(self, own: Sums) -> Sums:
        """The sums of all processes."""
        everywhere = [own]
        if self.owners or self.share.world > 1:
            everywhere *= torch.distributed.get_world_size()
            torch.distributed.all_gather_object(everywhere, own)
        return added(everywhere)

    def collected(self, stepper: dict[str, Any]) -> list[dict[str, Any]]:
        """On the first process, the optimisers' state of every process; elsewhere, or of shared batches, its own."""
        states: list[Any] = [stepper]
        if self.owners:
            own = tree_map_only(Tensor, lambda tensor: tensor.cpu(), stepper)
            first = torch.distributed.get_rank() == 0
            states *= torch.distributed.get_world_size() if first else 1
            torch.distributed.gather_object(own, states if first else None)
        return states

    def taken(self, states: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """The state that this process's optimisers continue from, of what was `collected`."""
        optimizers = {name: state for stepper in states for name, state in stepper["optimizers"].items()}
        rank = torch.distributed.get_rank() if self.owners else 0
        return {"optimizers": optimizers, "scaler": states[rank % len(states)]["scaler"]}


def part_of(method: Method[Any], problem: Problem, fabric: Fabric) -> Part:
    """What the process that asks is to do."""
    rank, world = fabric.global_rank, fabric.world_size
    if not spreads(method, problem, world):
        return Part(Share(rank, world), tuple(range(len(problem.domains))))
    owners = _owners(turns_per_epoch(problem), world)
    own = tuple(place for place, owner in enumerate(owners) if owner == rank)
    return Part(Share(), own, owners, method.independent)


def spreads(method: Method[Any], problem: Problem, processes: int) -> bool:
    """Whether processes train networks of their own: they are independent, and there is one for every process."""
    return 1 < processes <= len(problem.domains) and bool(method.independent)


def _owners(turns: Sequence[int], processes: int) -> tuple[int, ...]:
    """Domains dealt out to processes, those with most batches first, each to the process with fewest so far."""
    owners, work = [0] * len(turns), [0] * processes
    for place in sorted(range(len(turns)), key=lambda place: -turns[place]):
        owners[place] = work.index(min(work))
        work[owners[place]] += turns[place]
    return tuple(owners)


def _broadcast(tensors: Sequence[Tensor], owner: int) -> None:
    # One message for all: they travel as one flat buffer.
    flat = torch.cat([tensor.flatten() for tensor in tensors])
    torch.distributed.broadcast(flat, src=owner)
    for tensor, part in zip(tensors, flat.split([tensor.numel() for tensor in tensors])):
        tensor.copy_(part.view(tensor.shape))
