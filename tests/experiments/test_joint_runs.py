"""A joint run on disk: a line and a model for each domain, and what is said where one of them is wanted."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from small_problems import joint_problem

import isthmus
from isthmus.errors import DataError, ModelFileError
from isthmus.evaluation.metrics import accuracy
from isthmus.experiments import evaluation
from isthmus.experiments.evaluation import evaluate_model, model_folder
from isthmus.report.results import read_findings
from isthmus.report.tables import markdown_table


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("joint") / "out"
    return isthmus.compare(["isolated", "joint_irls:trade_off=0.1"], joint_problem(), out=out).folder


def test_the_table_has_a_line_for_each_domain(folder: Path) -> None:
    table = markdown_table(isthmus.Comparison(folder).results).splitlines()
    lines = [line.split("|")[1].strip() for line in table[2:10]]
    domains = ["&nbsp;&nbsp;· plain", "&nbsp;&nbsp;· upright", "&nbsp;&nbsp;· inverted"]
    assert lines == ["isolated", *domains, "joint_irls:trade_off=0.1", *domains]
    record = isthmus.Comparison(folder).results["problem"]["exam"]
    assert record == {"name": "the average of 3 domains", "samples": 64, "transductive": True}
    run = isthmus.Comparison(folder).results["runs"][0]
    others = [scores["last"] for name, scores in run["heads"].items() if name != "average"]
    assert run["heads"]["average"] == {**run["scores"], "unit": "%"}
    assert run["scores"]["last"] == pytest.approx(sum(score for score in others if score is not None) / 3)


def test_the_report_shows_who_shares_what(folder: Path) -> None:
    assert "Who shares what" in (folder / "report.html").read_text()
    found = read_findings(folder / "runs" / "joint_irls_trade_off_0.1-seed0")
    layers = ["backbone.layers.0", "backbone.layers.4", "hidden.1", "hidden.5", "head of domain 1"]
    assert found["layers"].tolist() == layers
    assert not (folder / "runs" / "isolated-seed0" / "findings.npz").exists()


@pytest.mark.parametrize("part", ["last", "selected"])
def test_every_domain_has_a_model(folder: Path, part: str) -> None:
    run, problem = folder / "runs" / "isolated-seed0", joint_problem()
    heads = isthmus.Comparison(folder).results["runs"][0]["heads"]
    for exam in problem.exams:
        model = isthmus.load(run / part / exam.name)
        assert model.classes == exam.labels.task.classes
        assert model.trained_on["domain"] == exam.name
        assert accuracy(model.predict(exam.samples), exam.labels.values) == pytest.approx(heads[exam.name][part])  # type: ignore[literal-required]


def test_a_run_gives_and_saves_the_model_of_each_domain(folder: Path, tmp_path: Path) -> None:
    record = isthmus.Comparison(folder).results["runs"][0]
    run = isthmus.Run(folder / record["folder"], record)
    run.save(tmp_path / "saved")
    assert sorted(run.models) == ["inverted", "plain", "upright"]
    for exam in joint_problem().exams:
        model = run.models[exam.name]
        assert isinstance(model, isthmus.Model)
        probabilities = model.predict(exam.samples)
        assert accuracy(probabilities, exam.labels.values) == pytest.approx(record["heads"][exam.name]["last"])
        assert torch.equal(isthmus.load(tmp_path / "saved" / exam.name).predict(exam.samples), probabilities)
    for use in (lambda: run.model, lambda: run.predict(joint_problem().exams[0].samples)):
        with pytest.raises(ModelFileError, match=r"one for each of 3 domains\. Give one of them: .*last/inverted"):
            use()


def test_one_of_several_models_must_be_named(folder: Path) -> None:
    run = folder / "runs" / "isolated-seed0"
    for place in (run, run / "last"):
        with pytest.raises(ModelFileError, match=r"one for each of 3 domains\. Give one of them: .*last/inverted"):
            model_folder(place)
    with pytest.raises(ModelFileError, match="in folders of their own"):
        model_folder(folder)


def test_a_model_is_measured_on_its_own_domain(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "load_problem", lambda name, root, image_size: joint_problem())
    model = folder / "runs" / "isolated-seed0" / "last" / "upright"
    heads = isthmus.Comparison(folder).results["runs"][0]["heads"]
    assert evaluate_model(model, "some")["exam"] == "upright"
    assert evaluate_model(model, "some")["accuracy"] == pytest.approx(heads["upright"]["last"])
    monkeypatch.setattr(evaluation, "load_problem", lambda name, root, image_size: _renamed())
    with pytest.raises(DataError, match="none is the model's"):
        evaluate_model(model, "another")


def _renamed() -> isthmus.Problem:
    from dataclasses import replace

    problem = joint_problem()
    return replace(problem, exams=tuple(replace(exam, name=f"other {exam.name}") for exam in problem.exams))
