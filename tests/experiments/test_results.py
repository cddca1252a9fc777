"""`results.json`, schema 1: its keys and types, and its figures recomputed from the runs' histories."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from small_problems import images_problem, vectors_problem

import isthmus
from isthmus.data.samples import ArraySamples
from isthmus.data.tasks import Metric
from isthmus.errors import OptionError, RunFolderError
from isthmus.evaluation.examination import Examination
from isthmus.experiments.record import Record
from isthmus.experiments.results import peak_memory_mb

METHODS = ("source_only", "dann:hidden=8")
SEEDS = 2
EPOCHS = 4
Comparison = isthmus.Comparison


@pytest.fixture(scope="module")
def comparison(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    out = tmp_path_factory.mktemp("comparison") / "out"
    return isthmus.compare(METHODS, images_problem(), seeds=SEEDS, first_seed=3, out=out, select_by="entropy")


@pytest.fixture(scope="module")
def content(comparison: Comparison) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((comparison.folder / "results.json").read_text())
    return loaded


def history(comparison: Comparison, run: dict[str, Any]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads((comparison.folder / run["folder"] / "history.json").read_text())
    return rows


def test_the_file_has_these_keys(content: dict[str, Any]) -> None:
    assert list(content) == ["schema", "problem", "versions", "runs", "summary"]
    assert content["schema"] == 1
    assert content["versions"]["isthmus"] == isthmus.__version__
    assert content["versions"]["torch"].split("+")[0] == torch.__version__.split("+")[0]
    assert content["problem"] == {
        "name": "rows",
        "setting": "unsupervised",
        "classes": ["top", "middle", "bottom"],
        "domains": [
            {"name": "plain", "samples": 24, "labelled": True, "classes": ["top", "middle", "bottom"], "tasks": []},
            {"name": "inverted", "samples": 24, "labelled": False, "classes": [], "tasks": []},
        ],
        "exam": {"name": "inverted", "samples": 24, "transductive": True},
        "backbone": "digits:dropout=0",
        "recipe": asdict(images_problem().recipe),
        "notes": [],
    }


def test_a_comparison_that_grew_over_an_update_names_both_versions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grown = {"problem": vectors_problem(), "out": tmp_path / "out", "resume": True}
    isthmus.compare("source_only", **grown)  # type: ignore[arg-type]
    monkeypatch.setattr("isthmus.experiments.results.__version__", "99.0")
    versions = isthmus.compare("source_only", seeds=2, **grown).results["versions"]  # type: ignore[arg-type]
    assert versions["isthmus"] == f"{isthmus.__version__}, 99.0"
    assert "," not in versions["torch"]


def test_runs_have_these_keys_and_types(content: dict[str, Any]) -> None:
    types = {
        "method": str,
        "seed": int,
        "metric": str,
        "higher_is_better": bool,
        "unit": str,
        "scores": dict,
        "selected_by": str,
        "selected_epoch": int,
        "epochs": int,
        "steps": int,
        "seconds": float,
        "images_per_second": float,
        "peak_memory_mb": float if torch.cuda.is_available() else type(None),  # nothing is known of a run on the CPU
        "parameters": int,
        "diagnostics": list,
        "heads": dict,
        "versions": dict,
        "folder": str,
    }
    assert [(run["method"], run["seed"]) for run in content["runs"]] == [(m, s) for s in (3, 4) for m in METHODS]
    for run in content["runs"]:
        assert {key: type(value) for key, value in run.items()} == types
        assert (run["metric"], run["higher_is_better"], run["selected_by"]) == ("accuracy", True, "entropy")
        assert (run["epochs"], run["steps"]) == (EPOCHS, EPOCHS * 3)
        assert list(run["scores"]) == ["last", "selected", "oracle"]
        assert all(0 <= value <= 1 for value in run["scores"].values())
        images, rounding = run["steps"] * 16, 0.006  # seconds are written to two decimals
        fewest, most = images / (run["seconds"] + rounding), images / (run["seconds"] - rounding)
        assert fewest - 0.1 <= run["images_per_second"] <= most + 0.1
        assert [sorted(entry) for entry in run["diagnostics"]] == [["message", "name", "value"]] * 3


def test_peak_memory_is_that_of_the_device_in_use(monkeypatch: pytest.MonkeyPatch) -> None:
    used = {torch.device("cuda", 0): 5 * 2**20, torch.device("cuda", 1): 3 * 2**20}
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.max_memory_allocated", lambda device: used[device])
    assert peak_memory_mb(torch.device("cuda", 1)) == 3
    assert peak_memory_mb(torch.device("cpu")) is None


def test_parameters_are_all_that_is_trained(content: dict[str, Any]) -> None:
    # conv5 1-32 and 32-48 with batch norms, 48 features; the neck 48-100-100 with batch norms; three classes.
    network = 32 * 25 + 32 + 64 + 48 * 32 * 25 + 48 + 96 + 48 * 100 + 100 + 200 + 100 * 100 + 100 + 200 + 303
    discriminator = 48 * 8 + 8 + 8 * 8 + 8 + 8 + 1
    expected = {"source_only": network, "dann:hidden=8": network + discriminator}
    assert all(run["parameters"] == expected[run["method"]] for run in content["runs"])


def test_last_selected_and_oracle_follow_from_the_history(comparison: Comparison, content: dict[str, Any]) -> None:
    for run in content["runs"]:
        rows = history(comparison, run)
        assert [row["epoch"] for row in rows] == [1, 2, 3, 4]
        scores = [row["scores"]["entropy"] for row in rows]
        accuracies = [row["metrics"]["result"] for row in rows]
        picked = scores.index(max(scores))  # the first of equal ones
        assert run["selected_epoch"] == picked + 1
        assert run["scores"] == {"last": accuracies[-1], "selected": accuracies[picked], "oracle": max(accuracies)}
        assert run["heads"] == {"result": run["scores"] | {"unit": "%"}}


def test_a_run_ends_that_began_under_another_name_of_a_metric() -> None:
    """As one that is killed, and resumed by a later version."""
    record = Record()
    for epoch, (name, loss, ratio) in enumerate((("old", 1.0, 5.0), ("new", 3.0, 4.0), ("new", 2.0, 6.0))):
        record.add(epoch, {}, Examination({"average": loss, name: ratio}, {}, []))
    assert record.heads == ["average", "new"]
    assert record.results({"average": Metric("loss", "", False), "new": Metric("ratio", "dB")}) == {
        "average": {"last": 2.0, "selected": 1.0, "oracle": 1.0},
        "new": {"last": 6.0, "selected": None, "oracle": 6.0},
    }


def test_selection_looks_at_no_labels(comparison: Comparison, content: dict[str, Any], tmp_path: Path) -> None:
    """With every label of the exam wrong, the same epochs are picked and the same weights saved."""
    problem = images_problem()
    assert problem.exam is not None
    labels = replace(problem.exam.labels, values=(problem.exam.labels.values + 1) % 3)
    wrong = replace(problem, exams=(replace(problem.exam, truth=labels),))
    again = isthmus.compare(METHODS, wrong, seeds=SEEDS, first_seed=3, out=tmp_path / "out", select_by="entropy")
    for before, after in zip(content["runs"], again.results["runs"]):
        assert before["selected_epoch"] == after["selected_epoch"]
        for model in ("last", "selected"):
            files = [
                folder / before["folder"] / model / "model.safetensors" for folder in (comparison.folder, again.folder)
            ]
            assert files[0].read_bytes() == files[1].read_bytes()


def test_the_summary_is_mean_and_standard_error(content: dict[str, Any]) -> None:
    assert [row["method"] for row in content["summary"]] == list(METHODS)
    for row in content["summary"]:
        assert list(row) == ["method", "n", "last", "selected", "oracle"]
        assert row["n"] == SEEDS
        for kind in ("last", "selected", "oracle"):
            first, second = (run["scores"][kind] for run in content["runs"] if run["method"] == row["method"])
            assert row[kind]["mean"] == pytest.approx((first + second) / 2)
            # Two values: the sample deviation is |a − b| / √2, and the error of the mean that over √2.
            assert row[kind]["stderr"] == pytest.approx(abs(first - second) / 2)


def test_saved_models_reproduce_the_figures(comparison: Comparison, content: dict[str, Any]) -> None:
    exam = images_problem().exam
    assert exam is not None
    for run in content["runs"]:
        for kind in ("last", "selected"):
            model = isthmus.load(comparison.folder / run["folder"] / kind)
            right = model.predict(exam.samples).argmax(dim=1) == exam.labels.values
            assert right.double().mean().item() == pytest.approx(run["scores"][kind])
            assert model.trained_on["method"] == run["method"]


def test_metrics_csv_says_what_the_history_says(comparison: Comparison, content: dict[str, Any]) -> None:
    import csv

    for run in content["runs"]:
        with (comparison.folder / run["folder"] / "metrics.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        for row, expected in zip(rows, history(comparison, run)):
            assert int(row["epoch"]) == expected["epoch"]
            assert float(row["loss/task"]) == expected["losses"]["task"]
            assert float(row["score/entropy"]) == expected["scores"]["entropy"]
            assert float(row["metric/result"]) == expected["metrics"]["result"]


def test_a_run_is_evaluated_about_as_often_as_asked_and_at_the_end(tmp_path: Path) -> None:
    problem = vectors_problem()
    recipe = replace(problem.recipe, epochs=7, evaluations=2)
    run = isthmus.fit("source_only", problem, out=tmp_path / "out", recipe=recipe)
    rows = json.loads((run.folder / "history.json").read_text())
    assert [row["epoch"] for row in rows if row["scores"]] == [4, 7]
    assert run.result["selected_epoch"] in (4, 7)


def test_a_problem_without_an_exam_goes_all_the_way(tmp_path: Path) -> None:
    problem = replace(images_problem(), exams=())
    found = isthmus.compare(["source_only", "symnets"], problem, out=tmp_path / "out")
    assert found.results["problem"]["exam"] is None
    for run in found.results["runs"]:
        assert run["scores"] == {"last": None, "selected": None, "oracle": None}
        assert run["heads"] == {}
        scores = [row["scores"][run["selected_by"]] for row in history(found, dict(run))]
        assert run["selected_epoch"] == scores.index(max(scores)) + 1
    nothing = {"mean": None, "stderr": None}
    assert [(row["last"], row["oracle"]) for row in found.results["summary"]] == [(nothing, nothing)] * 2
    assert "no exam" in found.report.read_text(encoding="utf-8")


def test_a_run_predicts_saves_and_reports(tmp_path: Path) -> None:
    problem = vectors_problem()
    run = isthmus.fit("dann", problem, out=tmp_path / "out")
    assert isinstance(problem.target.samples, ArraySamples)
    probabilities = run.predict(problem.target.samples)
    assert probabilities.shape == (96, 2)
    run.save(tmp_path / "model")
    assert {path.name for path in (tmp_path / "model").iterdir()} == {"model.json", "model.safetensors"}
    assert torch.equal(isthmus.load(str(tmp_path / "model")).predict(problem.target.samples), probabilities)
    assert [torch.equal(model.predict(problem.target.samples), probabilities) for model in run.models.values()] == [
        True
    ]
    assert list(run.models) == ["there"]
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RunFolderError, match=r"Could not write the model into .*file"):
        run.save(tmp_path / "file")
    assert run.report() == tmp_path / "out" / "report.html"
    assert math.isfinite(run.result["seconds"])


def test_a_gpu_without_memory_is_told_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr("isthmus.engine.trainer.Trainer.run", full)
    with pytest.raises(OptionError, match=r"`source_only` to fit .* `--batch-size` below 8, or `--precision bf16"):
        isthmus.fit("source_only", images_problem(), out=tmp_path / "out")
