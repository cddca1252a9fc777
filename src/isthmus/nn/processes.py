"""Tensors of all processes that share a batch, with gradients that flow back to each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor

_ALONE = ContextVar("alone", default=False)


@contextmanager
def alone() -> Iterator[None]:
    """In here this process has whole batches of its own, and waits for no other: it gathers nothing."""
    before = _ALONE.set(True)
    try:
        yield
    finally:
        _ALONE.reset(before)


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, part: Tensor) -> Tensor:
        parts = [torch.empty_like(part) for _ in range(torch.distributed.get_world_size())]
        torch.distributed.all_gather(parts, part.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Tensor:
        # What is gathered enters every process's loss; the engine's average over processes undoes the sum.
        whole: Tensor = gradients[0].clone()
        torch.distributed.all_reduce(whole)
        return whole.chunk(torch.distributed.get_world_size())[torch.distributed.get_rank()]


def gathered(part: Tensor) -> Tensor:
    """The rows of all processes, (processes * batch, …), in order; `part` itself in one process, or `alone`.

    For what looks at the batch as a whole (a kernel's mean, a covariance, a batch norm): computed from their own rows
    alone, processes would descend another loss than one process with the whole batch.
    """
    if _ALONE.get() or not torch.distributed.is_initialized() or torch.distributed.get_world_size() == 1:
        return part
    whole: Tensor = _Gather.apply(part.contiguous())
    return whole
