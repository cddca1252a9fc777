"""Measured figures on the methods' pages are those of `benchmarks/results`."""

from __future__ import annotations

import json
import math
import re
import statistics
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from page_tables import rows

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs" / "methods").glob("*.md"))
RESULTS: dict[str, dict[str, Any]] = {
    path.stem: json.loads(path.read_text(encoding="utf-8")) for path in (ROOT / "benchmarks" / "results").glob("*.json")
}
FIGURE = re.compile(r"-?\d+\.\d ± \d+\.\d")
HEADS = {
    ("symnets", "result"): "symnets, $C^t$",
    ("symnets", "target"): "symnets, $C^t$",  # as older results call it
    ("symnets", "source"): "symnets, $C^s$",
}
"""What the pages call a classifier of a method that has several."""


def printed(scores: list[float], digits: int = 1) -> str:
    mean, error = statistics.fmean(scores), statistics.stdev(scores) / math.sqrt(len(scores))
    return f"{mean:.{digits}f} ± {error:.{digits}f}"


def last_epochs(results: dict[str, Any]) -> dict[str, dict[int, float]]:
    """The scores of each method, and classifier of a method, by seed, as they are told."""
    found: dict[str, dict[int, float]] = {}
    for run in results["runs"]:
        times = 100 if run.get("unit", "%") == "%" else 1
        found.setdefault(run["method"], {})[run["seed"]] = times * run["scores"]["last"]
        for head, scores in run["heads"].items():
            if name := HEADS.get((run["method"], head)):
                found.setdefault(name, {})[run["seed"]] = times * scores["last"]
    return found


def measured() -> dict[tuple[str, str], str]:
    """What was measured on each problem with each method."""
    return {
        (results["problem"]["name"], method): printed(list(scores.values()))
        for results in RESULTS.values()
        if "runs" in results
        for method, scores in last_epochs(results).items()
    }


def told(page: Path) -> Iterator[tuple[str, str, str]]:
    """Problem, method and figure of every cell whose row and column name the two, in either order."""
    known = measured()
    problems = {problem for problem, _ in known}
    for head, cells in rows(page):
        first = cells[0].partition(",")[0]
        named = cells[-1] if "name" in head else first
        for column, value in zip(head[1:], cells[1:]):
            if FIGURE.fullmatch(value) is None:
                continue
            if first in problems and (first, column) in known:
                yield first, column, value
            elif column in problems:
                yield column, named, value


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_tables_hold_what_was_measured(page: Path) -> None:
    known = measured()
    assert [(cell, known.get(cell[:2])) for cell in told(page) if cell[2] != known.get(cell[:2])] == []


def test_most_pages_have_such_figures() -> None:
    found = {page.stem: len(list(told(page))) for page in PAGES}
    assert sum(count > 0 for count in found.values()) >= 23, found
    assert (found["dann"], found["symnets"], found["assisted_baselines"]) == (4, 15, 18)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_costs_of_a_step_are_those_over_two_passes(page: Path) -> None:
    steps = RESULTS["step-cost"]["steps"]
    for sentence in re.findall(r"A step costs (\d.*?) a plain supervised step in two forward passes", page.read_text()):
        names = [name for name in steps if name.partition(":")[0] == page.stem]
        assert re.findall(r"\d\.\d\d", sentence) == [f"{steps[name]['over_two_passes']:.2f}" for name in names]


@pytest.mark.parametrize(
    ("problem", "method", "reference", "text"),
    [
        ("shapes", "headfreeze", "mtl_both", "0.33 ± 0.25 degrees ahead"),
        ("shapes", "baseline+feature_adversary", "baseline", "0.24 ± 0.38 degrees for the baseline"),
        ("shapes", "mtl_both+feature_adversary", "mtl_both", "0.03 ± 0.06 for both"),
        ("shapes", "headfreeze+feature_adversary", "headfreeze", "0.15 ± 0.07 for HeadFreeze"),
        ("shapes-shifted", "baseline+feature_adversary", "baseline", "(0.83 ± 0.02)"),
        ("shapes-shifted", "headfreeze", "mtl_both", "1.48 ± 0.13 degrees behind"),
    ],
)
def test_paired_differences(problem: str, method: str, reference: str, text: str) -> None:
    page = " ".join((ROOT / "docs" / "methods" / "assisted_baselines.md").read_text(encoding="utf-8").split())
    assert text in page
    last = last_epochs(RESULTS[problem])
    gap = printed([score - last[reference][seed] for seed, score in last[method].items()], digits=2)
    assert gap.removeprefix("-") in text
