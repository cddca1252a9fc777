"""Random numbers that are functions of (seed, scene, name): no state, and no loop over scenes."""

from __future__ import annotations

import math
import zlib

import torch
from torch import Tensor

STEP = 0x9E3779B97F4A7C15 - 2**64
"""The increment and the multipliers of splitmix64, as signed numbers: products of int64 wrap around."""
FIRST = 0xBF58476D1CE4E5B9 - 2**64
SECOND = 0x94D049BB133111EB - 2**64


class Random:
    """What is random about some scenes.

    Each quantity has a name, and numbers of its own: to draw one more, or to draw it for other scenes, changes none
    of the rest.

    Args:
        seed: of the data set.
        scenes: (n,) the scenes' numbers.
    """

    def __init__(self, seed: int, scenes: Tensor) -> None:
        self.seed = seed
        self.scenes = scenes.long()

    def uniform(self, name: str, *shape: int) -> Tensor:
        """In [0, 1), (*shape, n)."""
        key = torch.tensor([self.seed, zlib.crc32(name.encode())], device=self.scenes.device) * STEP
        start = _mixed(_mixed(_mixed(key[0]) ^ key[1]) ^ self.scenes)
        number = torch.arange(1, math.prod(shape) + 1, device=start.device)
        bits = _mixed(start + number[:, None] * STEP)
        return (_shifted(bits, 40).float() / 2**24).view(*shape, len(start))

    def between(self, low: float, high: float, name: str, *shape: int) -> Tensor:
        """In [low, high), (*shape, n)."""
        return low + (high - low) * self.uniform(name, *shape)

    def normal(self, name: str, *shape: int) -> Tensor:
        """Standard normal, (*shape, n)."""
        centred = 2 * self.uniform(name, *shape) - (1 - 2**-24)
        return centred.erfinv().mul(math.sqrt(2))


def _mixed(state: Tensor) -> Tensor:
    """The finaliser of splitmix64."""
    state = (state ^ _shifted(state, 30)) * FIRST
    state = (state ^ _shifted(state, 27)) * SECOND
    return state ^ _shifted(state, 31)


def _shifted(state: Tensor, by: int) -> Tensor:
    """To the right, with zeros from the left: that of int64 repeats the sign."""
    kept: Tensor = (state >> by) & (2 ** (64 - by) - 1)
    return kept
