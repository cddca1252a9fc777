from __future__ import annotations

import re

import pytest
from fabricated_results import make_results, run_record
from rich.console import Console

from isthmus.report.results import Results, summarise
from isthmus.report.tables import cells, markdown_table, score_rows, summary_table


def printed(results: Results, width: int = 110) -> str:
    console = Console(width=width, record=True, file=None, quiet=False)
    with console.capture() as capture:
        console.print(summary_table(results))
    return capture.get()


def test_rows_and_gains(results: Results) -> None:
    rows = score_rows(results)
    assert [(row.label, row.is_head) for row in rows] == [
        ("source_only", False),
        ("symnets", False),
        ("source", True),
        ("dann", False),
    ]
    assert rows[0].gain is None
    assert rows[1].gain == pytest.approx(11.0)
    assert rows[2].last["mean"] == pytest.approx(0.63)
    assert rows[3].seconds == pytest.approx(13.0)


def test_gain_is_positive_where_lower_is_better(results: Results) -> None:
    for run in results["runs"]:
        run["higher_is_better"] = False
    assert score_rows(results)[1].gain == pytest.approx(-11.0)


def test_gain_is_over_the_seeds_that_both_have() -> None:
    runs = [
        *(run_record("source_only", seed, value) for seed, value in enumerate((0.70, 0.50))),
        *(run_record("dann", seed, value) for seed, value in enumerate((0.72,))),
        run_record("mcd", 2, 0.9),
    ]
    results = make_results(runs)
    assert [row.gain for row in score_rows(results)] == [None, pytest.approx(2.0), None]
    lines = markdown_table(results).splitlines()
    assert [line.split(" | ")[2] for line in lines[2:5]] == ["", "+2.0", "–"]
    assert lines[-1].endswith("Gain: points of the last epoch over source_only, on the seeds that both have.")


def test_terminal_table(results: Results) -> None:
    text = printed(results)
    assert " ".join(re.findall("oracle|.uses|exam|labels.", text)) == "oracle (uses exam labels)"
    assert "73.0 ± 1.5" in text
    assert "+11.0" in text
    assert "  · source head" in text


def test_numbers_stay_whole_on_a_narrow_terminal(results: Results) -> None:
    for run in results["runs"]:
        run["method"] = run["method"].replace("symnets", "symnets:hidden=512+entropy:weight=0.1")
        run["seconds"] *= 1000
    results["summary"] = summarise(results["runs"])
    for width in (70, 80):
        text = printed(results, width)
        lines = [cells(results, row) for row in score_rows(results)]
        for _, *numbers in lines:
            assert [number for number in numbers if number and number not in text] == []
        assert "13000" in text
        assert "".join(text.split()).endswith("Gain:pointsofthelastepochoversource_only.")


def test_names_are_no_markup() -> None:
    assert "[red]x[/red]" in printed(make_results([run_record("[red]x[/red]", 0, 0.5)]))


def test_markdown_table(results: Results) -> None:
    lines = markdown_table(results).splitlines()
    assert lines[0] == "| method | last | gain | selected | oracle (uses exam labels) | seeds | seconds per run |"
    assert lines[3] == "| symnets | **73.0 ± 1.5** | +11.0 | 72.0 ± 1.5 | 75.0 ± 1.5 | 3 | 13 |"


def test_without_baseline_there_is_no_gain() -> None:
    assert "gain" not in markdown_table(make_results([run_record("dann", 0, 0.5)])).lower()


def test_without_exam_the_label_free_score_ranks() -> None:
    runs = [
        run_record("a", 0, None, label_free=1.0),
        run_record("symnets", 0, None, label_free=2.0),
        run_record("symnets", 1, None, label_free=3.0),
    ]
    lines = markdown_table(make_results(runs, exam=False)).splitlines()
    assert lines[0] == "| method | information_maximisation | seeds | seconds per run |"
    assert lines[2:4] == ["| symnets | **2.500 ± 0.500** | 2 | 12 |", "| a | **1.000** | 1 | 12 |"]
    assert "Accuracy is unknown" in lines[5]
    assert "Ranked by information_maximisation" in lines[5]
