from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from fabricated_results import make_results, run_record

from isthmus.errors import RunFolderError
from isthmus.report.results import Results, read_history, read_results, read_views, statistic, summarise


def test_mean_and_standard_error_by_hand() -> None:
    # Deviations of 0.70, 0.74, 0.75 from 0.73: 0.0009 + 0.0001 + 0.0004 = 0.0014; sqrt(0.0014 / 2 / 3).
    got = statistic([0.70, 0.74, 0.75])
    assert got["mean"] == pytest.approx(0.73)
    assert got["stderr"] == pytest.approx(0.0152752523)


def test_one_value_has_no_standard_error() -> None:
    assert statistic([0.7]) == {"mean": 0.7, "stderr": None}
    assert statistic([None, None]) == {"mean": None, "stderr": None}


def test_summary_keeps_the_order_of_first_appearance() -> None:
    runs = [run_record("b", 0, 0.5), run_record("a", 0, 0.4), run_record("b", 1, 0.7)]
    summary = summarise(runs)
    assert [(row["method"], row["n"]) for row in summary] == [("b", 2), ("a", 1)]
    assert summary[0]["last"]["mean"] == pytest.approx(0.6)
    assert summary[0]["last"]["stderr"] == pytest.approx(0.1)
    assert summary[0]["oracle"]["mean"] == pytest.approx(0.62)


def test_written_results_are_read(write: Callable[..., Path], results: Results) -> None:
    folder = write(results)
    assert read_results(folder) == results
    run = folder / results["runs"][0]["folder"]
    assert [row["epoch"] for row in read_history(run)] == [1, 2, 3]
    views = read_views(run)
    assert views is not None
    assert views.pictures.shape == (3, 8, 8, 3)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "does not exist"),
        ("{", "Expected JSON"),
        ("[]", "`schema` 1, but got None"),
        ('{"schema": 2}', "`schema` 1, but got 2"),
        ('{"schema": 1, "problem": {}, "versions": {}}', "no `runs`, `summary`"),
        (json.dumps(make_results([])), "no finished run"),
    ],
)
def test_unusable_results_are_refused(tmp_path: Path, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / "results.json").write_text(content)
    with pytest.raises(RunFolderError, match=message):
        read_results(tmp_path)


def test_a_folder_where_no_run_has_finished_is_told_from_others(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(RunFolderError, match=r"No run has finished in .* yet\. Continue it .*`--resume`"):
        read_results(tmp_path)
    (tmp_path / "result.json").write_text("{}")  # a finished run of a comparison
    with pytest.raises(RunFolderError, match="Give the folder that `isthmus compare`"):
        read_results(tmp_path)


def test_unusable_files_of_a_run_are_refused(tmp_path: Path) -> None:
    assert read_views(tmp_path) is None
    (tmp_path / "views.npz").write_bytes(b"PK no archive")
    with pytest.raises(RunFolderError, match=r"views\.npz"):
        read_views(tmp_path)
    with pytest.raises(RunFolderError, match=r"history\.json"):
        read_history(tmp_path)
