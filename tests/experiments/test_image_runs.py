"""Runs that complete or generate images, on disk: metrics of every domain, pictures in the report, saved networks."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from small_problems import IMAGE_PROBLEMS, RECIPE

import isthmus
from isthmus.data.inputs import ImageInput
from isthmus.errors import ModelFileError, OptionError
from isthmus.evaluation.completion import completion_errors, holes
from isthmus.experiments.job import backbone_for
from isthmus.functional.holes import with_hole
from isthmus.methods import build_method
from isthmus.methods.joint.joint_irls import JointIRLS
from isthmus.report.images import read_image_views
from isthmus.report.metrics import metric_names, metric_rows
from isthmus.report.results import read_history
from isthmus.report.tables import markdown_table
from isthmus.report.verdict import verdict

DOMAINS = ["plain", "upright", "inverted"]


@pytest.fixture(scope="module", params=["autoencoder", "began"])
def comparison(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> isthmus.Comparison:
    out = tmp_path_factory.mktemp("images") / "out"
    return isthmus.compare(["isolated", "joint_irls"], IMAGE_PROBLEMS[request.param](RECIPE), out=out)


def test_results_hold_both_metrics_of_every_domain(comparison: isthmus.Comparison) -> None:
    results = comparison.results
    headline, besides = results["runs"][0]["metric"], metric_names(results)[0].removeprefix("average ")
    assert (headline, besides) in {("L2 loss", "PSNR"), ("Fréchet distance", "novelty")}
    for run in results["runs"]:
        places = ["average", *DOMAINS]
        assert list(run["heads"]) == [*places, *(f"{place} {besides}" for place in places)]
        assert (run["higher_is_better"], run["unit"], run["selected_by"]) == (False, "", "on_training")
        history = read_history(comparison.folder / run["folder"])
        units = {"PSNR": "dB", "novelty": "%"}
        for head, scores in run["heads"].items():
            assert scores["unit"] == (units[besides] if head.endswith(besides) else "")
            course = [row["metrics"][head] for row in history]
            assert scores["last"] == course[-1]
            assert scores["oracle"] == (max if head.endswith(besides) else min)(course)
        own = [run["heads"][name]["last"] for name in DOMAINS]
        assert run["scores"]["last"] == pytest.approx(sum(own) / 3)  # type: ignore[arg-type]
        assert -history[-1]["scores"]["on_training"] > 0
    assert results["problem"]["classes"] == []
    assert {tuple(domain["tasks"]) for domain in results["problem"]["domains"]} <= {("completion",), ("generation",)}


def test_tables_have_a_line_for_each_domain_and_the_other_metric_apart(comparison: isthmus.Comparison) -> None:
    table = markdown_table(comparison.results)
    lines = [line.split("|")[1].strip() for line in table.splitlines()[2:10]]
    domains = [f"&nbsp;&nbsp;· {name}" for name in DOMAINS]
    assert lines == ["isolated", *domains, "joint_irls", *domains]
    metric = comparison.results["runs"][0]["metric"]
    assert f"{metric}, lower is better, on the average of 3 domains (64 samples)" in table
    assert "Gain: difference of the last epoch over isolated." in table
    assert [len(values) for _, values in metric_rows(comparison.results)] == [4, 4]
    assert f"({metric} " in verdict(comparison.results)


def test_the_report_shows_images(comparison: isthmus.Comparison) -> None:
    page = (comparison.folder / "report.html").read_text()
    assert "<h2>Images</h2>" in page
    assert all(f"<h3>{name}</h3>" in page for name in DOMAINS)
    assert "Who shares what" in page
    assert " classes)" not in page
    views = [read_image_views(comparison.folder / run["folder"]) for run in comparison.results["runs"]]
    for name, images in views[0].items():
        assert images.shape == (3, 8, 16, 16, 3)
        assert np.array_equal(images, views[1][name]) is not (name == "made")


def test_saved_networks_give_what_was_measured(comparison: isthmus.Comparison) -> None:
    run = comparison.results["runs"][0]
    folder = comparison.folder / run["folder"] / "last" / "upright"
    model = isthmus.load_images(folder)
    assert model.trained_on["domain"] == "upright"
    with pytest.raises(ModelFileError, match=r"gives images\. Read it with `isthmus.load_images`"):
        isthmus.load(folder)
    if isinstance(model.task, isthmus.Generation):
        images = model.generate(5, seed=3)
        assert images.shape == (5, 1, 16, 16)
        assert torch.equal(images, model.generate(5, seed=3))
        assert not torch.equal(images, model.generate(5, seed=4))
        with pytest.raises(OptionError, match="Use `generate`"):
            model.complete(images)
        return
    exam = IMAGE_PROBLEMS["autoencoder"]().exams[1]
    errors = completion_errors(model.network, exam.samples, model.input, model.task)  # type: ignore[arg-type]
    assert errors["L2 loss"] == pytest.approx(run["heads"]["upright"]["last"])
    whole = model.input.evaluate(exam.samples.read(torch.arange(len(exam.samples)), torch.Generator()))
    completed = model.complete(with_hole(whole, holes(exam.samples, model.input, model.task), 5))  # type: ignore[arg-type]
    squares = [float(((a - b) / 2).square().sum()) for a, b in zip(completed, whole)]
    assert errors["L2 loss"] == pytest.approx(sum(squares) / len(squares), rel=1e-5)
    ratios = [10 * np.log10(whole[0].numel() / square) for square in squares]
    assert errors["PSNR"] == pytest.approx(sum(ratios) / len(ratios), rel=1e-5)
    with pytest.raises(OptionError, match="Use `complete`"):
        model.generate(2)


def test_a_run_gives_and_saves_the_network_of_each_domain(comparison: isthmus.Comparison, tmp_path: Path) -> None:
    record = comparison.results["runs"][0]
    run = isthmus.Run(comparison.folder / record["folder"], record)
    assert sorted(run.models) == sorted(DOMAINS)
    run.save(tmp_path)
    for name, model in run.models.items():
        saved = isthmus.load_images(tmp_path / name)
        assert isinstance(model, isthmus.ImageModel)
        assert saved.task == model.task
        weights = saved.network.state_dict()
        assert all(torch.equal(weights[key], value) for key, value in model.network.state_dict().items())


def test_damaged_descriptions_are_refused(comparison: isthmus.Comparison, tmp_path: Path) -> None:
    model = isthmus.load_images(comparison.folder / comparison.results["runs"][0]["folder"] / "selected" / "plain")
    model.input = ImageInput.plain(3, 16)
    model.save(tmp_path)
    with pytest.raises(ModelFileError, match="do not fit"):
        isthmus.load_images(tmp_path)


def test_scores_of_classes_are_unknown_here() -> None:
    with pytest.raises(OptionError, match="Unknown score `entropy`"):
        isthmus.fit("isolated", IMAGE_PROBLEMS["autoencoder"](), select_by="entropy")


def test_domains_may_have_networks_of_their_own(tmp_path: Path) -> None:
    names = ("dcgan:width=2,latent=3", "dcgan:width=2,latent=3", "dcgan:width=2,latent=5")
    problem = replace(IMAGE_PROBLEMS["dcgan"](replace(RECIPE, epochs=2, evaluations=1)), backbones=names)
    method = build_method("joint_irls", backbone_for(problem), *problem.outputs)
    assert isinstance(method, JointIRLS)
    alike = build_method("joint_irls", backbone_for(IMAGE_PROBLEMS["dcgan"]()), *problem.outputs)
    assert isinstance(alike, JointIRLS)
    assert alike.layers.names == ("generator.0", *method.layers.names)  # the layer that takes the noise
    parameters = [dict(method.matched_network(place).named_parameters()) for place in (0, 2)]
    assert all(torch.equal(*(own[f"{name}.weight"] for own in parameters)) for name in method.layers.names)
    run = isthmus.fit("joint_irls", problem, out=tmp_path / "out")
    for domain, name, latent in zip(DOMAINS, names, (3, 3, 5)):
        model = isthmus.load_images(run.folder / "last" / domain)
        assert model.backbone == name
        assert model.network.latent == latent
        assert model.generate(2).shape == (2, 1, 16, 16)
