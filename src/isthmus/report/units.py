"""What scores are told in: shares in percent, and other numbers in units of their own."""

from __future__ import annotations

import math
from dataclasses import dataclass

from isthmus.report.results import Results, Statistic

NAMES = {"%": "percent", "°": "degrees", "px": "pixels", "dB": "decibels", "": ""}


@dataclass(frozen=True)
class Unit:
    """How scores are told.

    Attributes:
        mark: `%`, `°`, `px`, `dB`, or nothing.
    """

    mark: str

    @property
    def times(self) -> float:
        """What scores are multiplied by."""
        return 100.0 if self.mark == "%" else 1.0

    @property
    def suffix(self) -> str:
        """The mark as it stands behind a number."""
        return self.mark if self.mark in ("°", "") else f" {self.mark}"

    @property
    def phrase(self) -> str:
        """What stands behind the metric's name, if anything."""
        return f" in {NAMES[self.mark]}" if self.mark else ""

    @property
    def difference(self) -> str:
        """What differences of scores are told in."""
        return "points" if self.mark == "%" else NAMES[self.mark]

    def decimals(self, value: Statistic) -> int:
        """One, but of numbers below one that have no mark as many as make three significant digits.

        >>> Unit("").decimals({"mean": 0.0763, "stderr": None}), Unit("°").decimals({"mean": 0.0763, "stderr": None})
        (4, 1)
        """
        size = abs(value["mean"] or 0.0)
        return 2 - math.floor(math.log10(size)) if 0 < size < 1 and not self.mark else 1

    def told(self, value: Statistic, decimals: int | None = None) -> str:
        """Mean and standard error.

        >>> Unit("%").told({"mean": 0.763, "stderr": 0.008})
        '76.3 ± 0.8'
        """
        digits = self.decimals(value) if decimals is None else decimals
        numbers = [number for number in (value["mean"], value["stderr"]) if number is not None]
        return " ± ".join(f"{self.times * number:.{digits}f}" for number in numbers) or "–"


def unit_of(results: Results, head: str | None = None) -> Unit:
    """The headline's, or a head's: none where results of an earlier version do not say it."""
    headline = results["runs"][0]
    units = {headline["metric"]: headline.get("unit", "%")}
    for run in results["runs"]:
        units |= {name: scores["unit"] for name, scores in run["heads"].items() if "unit" in scores}
    return Unit(units.get(head or headline["metric"], ""))
