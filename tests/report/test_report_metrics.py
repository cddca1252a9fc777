"""Every metric told in its own unit, and the headline likewise wherever it stands."""

from __future__ import annotations

from typing import Any

import pytest
from fabricated_results import make_results, run_record
from rich.console import Console

from isthmus.report.metrics import heading, metric_names, metric_rows, metric_table
from isthmus.report.results import Results, RunRecord, summarise
from isthmus.report.tables import caption, cells, score_rows
from isthmus.report.units import Unit, unit_of
from isthmus.report.verdict import verdict

DEPTH = {"depth abs_rel": (0.125, "%"), "depth rmse": (0.0456, ""), "depth δ<1.25": (0.875, "%")}


def run(method: str, seed: int, values: dict[str, tuple[float, str]], **changes: Any) -> RunRecord:
    heads = {name: {"last": v, "selected": v, "oracle": v, "unit": unit} for name, (v, unit) in values.items()}
    name, (value, unit) = next(iter(values.items()))
    record = run_record(method, seed, value)
    record.update({"metric": name, "unit": unit, "higher_is_better": False, "heads": heads, **changes})  # type: ignore[typeddict-item]
    return record


def results_of(*runs: RunRecord, setting: str = "assisted") -> Results:
    results = make_results(list(runs))
    results["problem"]["setting"] = setting
    return results


@pytest.fixture
def depth() -> Results:
    worse = {name: (1.2 * value, unit) for name, (value, unit) in DEPTH.items()}
    return results_of(run("baseline", 0, worse), run("headfreeze", 0, DEPTH))


def without_units(results: Results) -> Results:
    """As an earlier version wrote them."""
    for record in results["runs"]:
        for scores in record["heads"].values():
            del scores["unit"]
    return results


def test_the_headline_is_told_as_in_the_table_of_all_metrics(depth: Results) -> None:
    assert [heading(depth, name) for name in metric_names(depth)] == ["depth abs_rel %", "depth rmse", "depth δ<1.25 %"]
    rows = dict(metric_rows(depth))
    assert rows["headfreeze"] == ["12.5", "0.0456", "87.5"]
    row = score_rows(depth)[1]
    assert cells(depth, row)[1:3] == [rows["headfreeze"][0], "+2.5"]
    assert caption(depth).startswith("Depth abs_rel in percent, lower is better")
    assert "(depth abs_rel 12.5 against 15.0 %," in verdict(depth)


def test_names_are_no_markup() -> None:
    console = Console(width=100)
    with console.capture() as capture:
        console.print(metric_table(results_of(run("[red]x[/red]", 0, DEPTH))))
    assert "[red]x[/red]" in capture.get()


def test_the_terminal_names_the_units(depth: Results) -> None:
    console = Console(width=100)
    with console.capture() as capture:
        console.print(metric_table(depth))
    first, *lines = capture.get().strip().splitlines()
    assert first.strip() == "depth, last epoch"
    assert lines[1].split() == ["method", "abs_rel", "%", "rmse", "δ<1.25", "%"]


def test_small_numbers_without_a_unit_keep_three_digits_and_so_do_their_differences() -> None:
    """Of the same decimals: 0.0 would be all that is seen of a gain of two hundredths."""
    results = results_of(
        *(run("isolated", seed, {"average": (value, "")}, metric="L2 loss") for seed, value in enumerate((0.1, 0.12))),
        *(run("share_all", seed, {"average": (value, "")}, metric="L2 loss") for seed, value in enumerate((0.08, 0.1))),
        setting="joint",
    )
    assert cells(results, score_rows(results)[1])[1:3] == ["0.0900 ± 0.0100", "+0.0200"]
    assert verdict(results) == (
        "share_all is 0.0200 ahead of isolated, which is within noise (±0.0608 at 95 %; "
        "L2 loss 0.0900 ± 0.0100 against 0.110 ± 0.010, last epoch, 2 seeds)."
    )
    for mean, expected in ((0.0, "0.0"), (1.0, "1.0"), (-0.5, "-0.500"), (float("nan"), "nan"), (None, "–")):
        assert Unit("").told({"mean": mean, "stderr": None}) == expected
    assert Unit("px").told({"mean": 0.25, "stderr": None}) == "0.2"


def test_results_without_units_are_told_as_they_are(depth: Results) -> None:
    """A head's unit is not guessed; the headline's is known."""
    old = without_units(depth)
    assert [heading(old, name) for name in metric_names(old)] == ["depth abs_rel %", "depth rmse", "depth δ<1.25"]
    assert dict(metric_rows(old))["headfreeze"] == ["12.5", "0.0456", "0.875"]
    assert unit_of(old) == Unit("%")


def test_earlier_and_later_runs_stand_together(depth: Results) -> None:
    results = results_of(*without_units(depth)["runs"], run("headfreeze", 1, DEPTH))
    assert [heading(results, name) for name in metric_names(results)][2] == "depth δ<1.25 %"
    assert dict(metric_rows(results))["headfreeze"][2] == "87.5 ± 0.0"


def test_what_is_unknown_without_an_exam_is_the_headline(depth: Results) -> None:
    for record in depth["runs"]:
        record.update({"scores": {"last": None, "selected": None, "oracle": None}, "heads": {}})
    depth["problem"]["exam"] = None
    depth["summary"] = summarise(depth["runs"])
    for text in (caption(depth), verdict(depth)):
        assert text.startswith("Depth abs_rel is unknown: there is no exam.")
    assert metric_names(depth) == []
