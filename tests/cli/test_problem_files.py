"""A problem file on the command line: trained on, measured on, and its mistakes."""

from __future__ import annotations

import html
import json
from pathlib import Path

import pytest
from label_folders import ROOMS, write_rooms
from small_problems import Command

from isthmus.report.metrics import heading, metric_names, metric_rows
from isthmus.report.results import read_results


def test_from_a_file_to_results_and_back(isthmus_command: Command, tmp_path: Path) -> None:
    file = write_rooms(tmp_path)
    arguments = ("compare", file, "--methods", "baseline", "headfreeze", "oracle", "--out", "out", "--json")
    code, out, err = isthmus_command(*arguments)
    assert (code, err) == (0, "")
    results = json.loads(out)
    assert results["problem"]["name"] == "rooms"
    assert results["problem"]["exam"] == {"name": "target", "samples": 4, "transductive": True}
    assert [domain["tasks"] for domain in results["problem"]["domains"]] == [
        ["normals", "segmentation"],
        ["segmentation"],
    ]
    run = results["runs"][1]
    code, out, err = isthmus_command("evaluate", "out/runs/headfreeze-seed0", file, "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["tasks"]["normals"]["rmse"] == pytest.approx(run["scores"]["last"])
    code, _, err = isthmus_command("evaluate", "out/runs/headfreeze-seed0")
    assert code == 2
    assert "was not trained on a built-in problem (but on `rooms`). Name a problem, or a problem file" in err


def test_a_depth_is_told_alike_by_every_command(isthmus_command: Command, tmp_path: Path) -> None:
    file = write_rooms(
        tmp_path,
        ROOMS.replace("normals: synthetic/normals", "depth: synthetic/depths").replace(
            "normals: real/normals", "depth: real/depths"
        ),
    )
    code, out, err = isthmus_command("fit", "baseline", file, "--out", "out")
    assert (code, err) == (0, "")
    results = read_results(Path("out"))
    ((_, values),) = metric_rows(results)
    headings = [heading(results, name) for name in metric_names(results)]
    assert headings == ["depth abs_rel %", "depth rmse", "depth δ<1.25 %"]
    page = Path("out/report.html").read_text(encoding="utf-8")
    for text in (out, page):
        assert all(value in text for value in values)
        assert "Depth abs_rel in percent, lower is better" in text
    assert all(name.removeprefix("depth ") in out and name in html.unescape(page) for name in headings)
    code, out, err = isthmus_command("evaluate", "out", file)
    assert (code, err) == (0, "")
    told = [line.split("│")[2:4] for line in out.splitlines() if "depth" in line]
    assert [f"{name.strip()} {value.strip()}" for name, value in told] == [
        f"abs_rel {values[0]} %",
        f"rmse {values[1]}",
        f"δ<1.25 {values[2]} %",
    ]


def test_flags_go_before_the_file(isthmus_command: Command, tmp_path: Path) -> None:
    flags = ("--image-size", 48, "--epochs", 2, "--backbone", "pyramid:width=8,decoder=16", "--out", "out", "--json")
    code, out, err = isthmus_command("fit", "baseline", write_rooms(tmp_path), *flags)
    assert (code, err) == (0, "")
    problem = json.loads(out)["problem"]
    assert (problem["backbone"], problem["recipe"]["epochs"]) == ("pyramid:width=8,decoder=16", 2)
    model = json.loads(Path("out/last/model.json").read_text())
    assert model["input"]["size"] == 48
    code, out, err = isthmus_command("evaluate", "out", tmp_path / "rooms.yaml", "--json")
    assert (code, err) == (0, ""), "measured at the size that the model was trained at"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--methods", "dann"), "`dann` is for the unsupervised setting, but the problem is of the assisted setting."),
        (("--source", "here"), "but got both (`"),
        (
            ("--image-size", 32, "--on-bad-image", "skip"),
            "of these, a problem file takes `--image-size`, and one of class folders says `on_bad_image` itself.",
        ),
        (("--methods", "baseline"), "`source.labels.normals`: expected files"),
    ],
)
def test_mistakes_are_told_in_one_line(
    isthmus_command: Command, tmp_path: Path, arguments: tuple[object, ...], message: str
) -> None:
    file = write_rooms(tmp_path, ROOMS.replace("synthetic/normals", "nowhere"))
    code, out, err = isthmus_command("compare", file, *arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1
    assert not list(Path().iterdir()), "and nothing is written"
