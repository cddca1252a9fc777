"""A paper's table: what runs, by which recipe, and what stands beside the published figures."""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

import pytest

import isthmus
from isthmus.cli import main
from isthmus.errors import OptionError, RunFolderError
from isthmus.papers import tables
from isthmus.report.results import read_results

TABLE = """
source: Somebody, 2020
title: two looks, accuracy in percent
seeds: 2
recipes:
  short: {epochs: 2, steps_per_epoch: 1, lr: 0.02, evaluations: 2}
columns:
  - {name: photos, problem: digits-photo, recipes: {short: {epochs: 3}}}
  - {name: elsewhere}
rows:
  - {name: Source Only, method: source_only, recipe: short, published: [43.5 ± 0.2, 50]}
  - {name: DANN, method: "dann:hidden=8", recipe: short,    published: [null, 60]}
  - {name: RTN,                                             published: [55.5, null]}
"""
JOINT = """
source: Somebody, 2020
title: four looks, accuracy in percent
seeds: 1
spread: standard error
recipes:
  short: {epochs: 1, steps_per_epoch: 1, evaluations: 1}
columns:
  - {name: Plain, problem: digits-looks, domain: plain}
  - {name: average, problem: digits-looks}
rows:
  - {name: Isolated, method: isolated, recipe: short, published: [80, 75.25]}
"""


@pytest.fixture(autouse=True)
def _tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = tmp_path / "tables"
    files.mkdir()
    (files / "own-1.yaml").write_text(TABLE)
    (files / "own-10.yaml").write_text(JOINT)
    (files / "own-2.yaml").write_text(TABLE)
    monkeypatch.setattr(tables, "FILES", files)


def cells(out: Path) -> dict[tuple[str, str], dict[str, Any]]:
    content = json.loads((out / "reproduction.json").read_text())
    return {(cell["row"], cell["column"]): cell for cell in content["cells"]}


def test_all_that_can_be_run_is_run_and_stands_beside_the_published(tmp_path: Path) -> None:
    out = tmp_path / "out"
    isthmus.reproduce("own", "1", out=out)
    found = cells(out)
    assert len(found) == 6
    runs = read_results(out / "digits-photo-short")["runs"]
    assert [(run["method"], run["seed"], run["epochs"]) for run in runs] == [
        ("source_only", 0, 3),
        ("dann:hidden=8", 0, 3),
        ("source_only", 1, 3),
        ("dann:hidden=8", 1, 3),
    ]
    for row, method in (("Source Only", "source_only"), ("DANN", "dann:hidden=8")):
        for epoch in ("last", "selected", "oracle"):
            scores = [100 * run["scores"][epoch] for run in runs if run["method"] == method]
            error = statistics.stdev(scores) / 2**0.5
            told = found[row, "photos"][epoch]
            assert (told["mean"], told["stderr"]) == pytest.approx((statistics.fmean(scores), error))
    source = found["Source Only", "photos"]
    assert (source["published"], source["spread"], source["seeds"]) == (43.5, 0.2, 2)
    assert found["DANN", "photos"]["published"] is None
    assert found["RTN", "photos"]["published"] == 55.5
    unmeasured = [cell for cell, content in found.items() if content["last"] is None]
    assert unmeasured == [("RTN", "photos"), *((row, "elsewhere") for row in ("Source Only", "DANN", "RTN"))]


def test_rows_are_added_to_what_is_finished(tmp_path: Path) -> None:
    out = tmp_path / "out"
    isthmus.reproduce("own", "1", rows=["source_only"], seeds=1, out=out)
    first = cells(out)
    assert first["DANN", "photos"]["seeds"] == 0
    with pytest.raises(RunFolderError, match="--resume"):
        isthmus.reproduce("own", "1", rows=["dann:hidden=8"], seeds=1, out=out)
    isthmus.reproduce("own", "1", rows=["dann:hidden=8"], columns=["digits-photo"], seeds=1, out=out, resume=True)
    second = cells(out)
    assert second["Source Only", "photos"] == first["Source Only", "photos"]
    assert second["DANN", "photos"]["seeds"] == 1


def test_domains_of_a_joint_problem_are_columns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert main(["reproduce", "own", "10", "--out", str(out)]) == 0
    (run,) = read_results(out / "digits-looks-short")["runs"]
    found = cells(out)
    assert found["Isolated", "Plain"]["last"]["mean"] == 100 * run["heads"]["plain"]["last"]
    assert found["Isolated", "average"]["last"]["mean"] == 100 * run["scores"]["last"]
    plain, average = f"{100 * run['heads']['plain']['last']:.2f}", f"{100 * run['scores']['last']:.2f}"
    told = [line.split()[1:3] for line in capsys.readouterr().out.splitlines() if line.split()[:1] == ["Isolated"]]
    assert told == [["80.00", plain], ["75.25", average]], "as finely as the paper"


def test_the_table_is_shown_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    assert main(["reproduce", "own", "1", "--rows", "source_only", "--seeds", "1", "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert main(["report", str(out)]) == 0
    assert capsys.readouterr().out == printed
    assert main(["report", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads((out / "reproduction.json").read_text())
    source = cells(out)["Source Only", "photos"]
    assert main(["report", str(out), "--markdown"]) == 0
    assert capsys.readouterr().out.splitlines()[:6] == [
        "| own 1 | published | measured | oracle | seeds |",
        "| --- | ---: | ---: | ---: | ---: |",
        "| **photos** |  |  |  |  |",
        f"| Source Only | 43.5 ± 0.2 | {source['last']['mean']:.1f} | {source['oracle']['mean']:.1f} | 1 |",
        "| DANN | – |  |  |  |",
        "| RTN | 55.5 |  |  |  |",
    ]


def test_changes_of_the_recipe_are_told_and_not_mixed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, command = tmp_path / "out", ["reproduce", "own", "1", "--rows", "source_only", "--seeds", "1"]
    assert main([*command, "--epochs", "1", "--out", str(out)]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "Not the paper's recipe: epochs 1." in printed
    assert "43.5 ± 0.2" in printed
    assert "elsewhere" not in printed
    assert read_results(out / "digits-photo-short")["problem"]["recipe"]["epochs"] == 1
    with pytest.raises(RunFolderError, match=r"begun with other changes .*'epochs': 1.*, not none"):
        isthmus.reproduce("own", "1", rows=["source_only"], seeds=1, out=out, resume=True)


def test_tables_are_listed_by_number_and_a_paper_with_its_names(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reproduce"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines[1:]] == [["own", "1"], ["own", "2"], ["own", "10"]]
    assert main(["reproduce", "own"]) == 0
    printed = capsys.readouterr().out
    assert "--columns digits-photo\n" in printed
    assert "--rows source_only dann:hidden=8\n" in printed
    assert main(["reproduce", "own", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["rows"] == ["source_only", "dann:hidden=8"]


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("ow", "1"), {}, "Unknown paper `ow`; did you mean `own`"),
        (("own", "3"), {}, "one of the tables `1`, `2`, `10` of `own`, but got `3`"),
        (("own", "1"), {"rows": ["RTN"]}, "Unknown row of table own 1 `RTN`.*`source_only`, `dann:hidden=8`"),
        (("own", "1"), {"columns": ["elsewhere"]}, "Unknown column of table own 1 `elsewhere`.*`digits-photo`"),
        (("own", "1"), {"recipe": {"epoch": 1}}, "Unknown part of a recipe `epoch`; did you mean `epochs`"),
        (("own", "1"), {"recipe": {"epochs": 0}}, "epochs"),
        (("own", "1"), {"seeds": 0}, "seeds"),
    ],
)
def test_mistakes_are_told_before_anything_is_made(
    arguments: tuple[str, str], options: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(OptionError, match=message):
        isthmus.reproduce(*arguments, out=tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


def test_a_problem_without_data_is_told_before_others_are_trained(tmp_path: Path) -> None:
    table = TABLE.replace("{name: elsewhere}", "{name: elsewhere, problem: 'office31:amazon-webcam'}")
    (tables.FILES / "own-3.yaml").write_text(table)
    with pytest.raises(isthmus.IsthmusError, match="office31"):
        isthmus.reproduce("own", "3", rows=["source_only"], seeds=1, out=tmp_path / "out", data_root=tmp_path / "none")
    assert not (tmp_path / "out").exists()
