"""What scores are told in: shares in percent, and errors in units of their own."""

from __future__ import annotations

from isthmus.report.results import Results, Statistic

NAMES = {"%": "percent", "°": "degrees", "px": "pixels", "": ""}


def unit(results: Results) -> str:
    """Of the headline: `%`, `°`, `px`, or nothing."""
    return results["runs"][0].get("unit", "%")


def factor(results: Results) -> float:
    """What scores are multiplied by to be told in their unit."""
    return 100.0 if unit(results) == "%" else 1.0


def spelt(results: Results) -> str:
    """The unit's name."""
    return NAMES[unit(results)]


def in_unit(results: Results) -> str:
    """The unit behind the metric's name, where there is one."""
    return f" in {spelt(results)}" if unit(results) else ""


def difference(results: Results) -> str:
    """What differences of scores are told in."""
    return "points" if unit(results) == "%" else spelt(results)


def told(value: Statistic, times: float) -> str:
    """Mean and standard error, times a factor.

    >>> told({"mean": 0.763, "stderr": 0.008}, 100)
    '76.3 ± 0.8'
    """
    if value["mean"] is None:
        return "–"
    return f"{times * value['mean']:.1f}" + ("" if value["stderr"] is None else f" ± {times * value['stderr']:.1f}")
