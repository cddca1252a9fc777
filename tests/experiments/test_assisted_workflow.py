"""The assisted setting from a comparison to its report, its models and what they predict."""

from __future__ import annotations

import csv
import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from small_problems import Command, pixels_problem

import isthmus
from isthmus.data.recipes import Recipe
from isthmus.errors import ModelFileError, OptionError, SettingError
from isthmus.report.html import write_report
from isthmus.report.metrics import metric_rows
from isthmus.report.tables import caption, cells, score_rows
from isthmus.report.verdict import verdict

METHODS = ("baseline", "headfreeze", "oracle")
METRICS = {"normals rmse", "normals mean", "normals median", "normals <11.25°", "normals <22.5°", "normals <30°"}


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> isthmus.Comparison:
    out = tmp_path_factory.mktemp("assisted") / "out"
    recipe = Recipe(epochs=4, batch_size=8, optimizer="adam", lr=0.01, evaluations=4)
    return isthmus.compare(METHODS, pixels_problem(recipe), out=out)


def test_runs_hold_every_metric_with_the_errors_in_degrees(comparison: isthmus.Comparison) -> None:
    for run in comparison.results["runs"]:
        assert (run["metric"], run["unit"], run["higher_is_better"]) == ("normals rmse", "°", False)
        assert set(run["heads"]) >= METRICS
        assert run["heads"]["normals rmse"] == {**run["scores"], "unit": "°"}
        assert run["selected_by"] == "main_on_source"
    known = [("segmentation miou" in run["heads"]) for run in comparison.results["runs"]]
    assert known == [False, True, True], "the baseline learns no anchor task"


def test_the_oracle_epoch_is_the_one_of_the_least_error(comparison: isthmus.Comparison) -> None:
    for run in comparison.results["runs"]:
        history = json.loads((comparison.folder / run["folder"] / "history.json").read_text())
        for metric, best in (("normals rmse", min), ("normals <30°", max)):
            values = [row["metrics"][metric] for row in history]
            assert run["heads"][metric]["oracle"] == best(values)
            assert run["heads"][metric]["last"] == values[-1]


def test_tables_and_verdict_speak_of_degrees_and_gain_is_a_lower_error(comparison: isthmus.Comparison) -> None:
    results = comparison.results
    last = {run["method"]: run["scores"]["last"] for run in results["runs"]}
    rows = {row.label: cells(results, row) for row in score_rows(results)}
    assert list(rows) == list(METHODS)
    gain = last["baseline"] - last["oracle"]  # type: ignore[operator]
    assert rows["oracle"][1:3] == [f"{last['oracle']:.1f}", f"{gain:+.1f}"]
    assert "Normals rmse in degrees, lower is better" in caption(results)
    assert "°" in verdict(results)
    assert "points" not in verdict(results)
    metrics = dict(metric_rows(results))
    assert metrics["baseline"][0] == f"{last['baseline']:.1f}"
    assert metrics["baseline"][-1] == "–", "no segmentation"


def test_a_comparison_of_an_earlier_version_is_reported_and_goes_on(
    comparison: isthmus.Comparison, tmp_path: Path
) -> None:
    """Its results do not say the units of heads."""
    folder = tmp_path / "out"
    shutil.copytree(comparison.folder, folder)
    for path in (folder / "results.json", *folder.glob("runs/*/result.json")):
        content = json.loads(path.read_text())
        for run in content.get("runs", [content]):
            for scores in run["heads"].values():
                del scores["unit"]
        path.write_text(json.dumps(content))
    before = write_report(folder).read_text()
    assert "normals rmse °</th>" in before
    assert "normals &lt;30°</th>" in before
    recipe = comparison.results["problem"]["recipe"]
    grown = isthmus.compare(["baseline"], pixels_problem(Recipe(**recipe)), seeds=2, out=folder, resume=True)
    assert [("unit" in run["heads"]["normals <30°"]) for run in grown.results["runs"]] == [False, False, False, True]
    assert "normals &lt;30° %</th>" in grown.report.read_text()


def test_the_report_shows_metrics_predictions_and_features(comparison: isthmus.Comparison) -> None:
    page = comparison.report.read_text()
    for heading in ("All metrics", "Predictions: normals", "Predictions: segmentation", "Features by depth"):
        assert f"<h2>{heading}</h2>" in page
    assert "Classes:" not in page


def test_predictions_are_written_as_numbers_and_pictures(
    comparison: isthmus.Comparison, isthmus_command: Command, tmp_path: Path
) -> None:
    for number in range(2):
        pixels = np.random.default_rng(number).integers(0, 256, (80, 100, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    model = comparison.folder / "runs" / "headfreeze-seed0"
    code, out, err = isthmus_command("predict", model, tmp_path / "0.png", tmp_path / "1.png", "--out", tmp_path / "o")
    assert (code, err) == (0, "")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [(Path(row["image"]).name, row["task"]) for row in rows] == [
        (f"{i}.png", task) for i in range(2) for task in ("normals", "segmentation")
    ]
    normals, classes = (np.load(row["file"]) for row in rows[:2])
    np.testing.assert_allclose(np.linalg.norm(normals, axis=0), np.ones((64, 64)), rtol=1e-5)
    assert set(np.unique(classes)) <= {0, 1, 2}
    assert Image.open(Path(rows[0]["file"]).with_suffix(".png")).size == (64, 64)
    code, _, err = isthmus_command("predict", model, tmp_path / "0.png")
    assert code == 2
    assert "give a folder for them with `--out DIR`" in err


def test_a_run_gives_and_saves_its_model(comparison: isthmus.Comparison, tmp_path: Path) -> None:
    record = comparison.results["runs"][1]
    run, samples = isthmus.Run(comparison.folder / record["folder"], record), pixels_problem().target.samples
    run.save(tmp_path)
    assert list(run.models) == ["inverted"]
    model = run.models["inverted"]
    assert isinstance(model, isthmus.DenseModel)
    assert torch.equal(
        next(model.predict(samples))["normals"], next(isthmus.load_dense(tmp_path).predict(samples))["normals"]
    )
    with pytest.raises(ModelFileError, match=r"Read it with `isthmus\.load_dense`"):
        run.predict(samples)


@pytest.mark.usefixtures("few_scenes")
def test_a_model_is_measured_on_the_exam(isthmus_command: Command, tmp_path: Path) -> None:
    quick = ("--epochs", 1, "--steps-per-epoch", 1, "--batch-size", 8)
    code, out, err = isthmus_command("fit", "baseline", "shapes", "--out", tmp_path / "run", *quick, "--json")
    assert (code, err) == (0, "")
    expected = json.loads(out)["runs"][0]["scores"]["last"]
    code, out, err = isthmus_command("evaluate", tmp_path / "run", "--json")
    assert (code, err) == (0, "")
    result = json.loads(out)
    assert (result["exam"], result["samples"]) == ("real", 3)
    assert result["tasks"]["normals"]["rmse"] == pytest.approx(expected)


def test_what_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="the unsupervised setting, but the problem is of the assisted"):
        isthmus.fit("dann", pixels_problem(), out=tmp_path / "a")
    with pytest.raises(OptionError, match="Unknown score `entropy`"):
        isthmus.fit("baseline", pixels_problem(), out=tmp_path / "b", select_by="entropy")
    with pytest.raises(SettingError, match="gives none for it"):
        isthmus.compare(["baseline", "oracle"], replace(pixels_problem(), oracle=None), out=tmp_path / "c")
    assert not any(tmp_path.iterdir()), "before anything is trained"
