"""Means of what updates log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from torch import Tensor

Sums = dict[tuple[int, str], tuple[float, int]]
"""Sum and count of logged scalars, by whose turn it was and by name."""


class Meter:
    """Sums of logged scalars over an epoch; read once, at its end, so that no step waits for a device.

    Attributes:
        turn: the domain whose turn it is; independent networks are summed apart, -1 stands for all others.
    """

    def __init__(self) -> None:
        self.turn = -1
        self.totals: dict[tuple[int, str], Tensor] = {}
        self.counts: dict[tuple[int, str], int] = {}

    def add(self, log: Mapping[str, Tensor]) -> None:
        """Count an update's log in."""
        for name, value in log.items():
            key, value = (self.turn, name), value.detach()
            self.totals[key] = self.totals[key] + value if key in self.totals else value
            self.counts[key] = self.counts.get(key, 0) + 1

    def sums(self) -> Sums:
        """Of everything so far."""
        return {key: (float(total), self.counts[key]) for key, total in self.totals.items()}


def added(parts: Iterable[Sums]) -> Sums:
    """The sums of several processes as one.

    >>> added([{(-1, "task"): (3.0, 2)}, {(-1, "task"): (1.0, 2)}])
    {(-1, 'task'): (4.0, 4)}
    """
    whole: Sums = {}
    for part in parts:
        for key, (total, count) in part.items():
            before, counted = whole.get(key, (0.0, 0))
            whole[key] = (before + total, counted + count)
    return whole


def means(sums: Sums) -> dict[str, float]:
    """By name, over all turns.

    >>> means({(0, "task"): (3.0, 2), (1, "task"): (1.0, 2)})
    {'task': 1.0}
    """
    found = {}
    for name in dict.fromkeys(name for _, name in sums):
        totals, counts = zip(*(sums[key] for key in sorted(sums) if key[1] == name))
        found[name] = sum(totals) / sum(counts)
    return found
