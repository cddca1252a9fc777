"""Metrics, inference in batches, and what an examination measures."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from small_problems import images_problem, vectors_problem
from torch import Tensor, nn

from isthmus.data.inputs import ImageInput
from isthmus.data.samples import ArraySamples
from isthmus.errors import DivergenceError, OptionError
from isthmus.evaluation import inference
from isthmus.evaluation.examination import examine
from isthmus.evaluation.inference import RESULT, device_of, features, infer
from isthmus.evaluation.metrics import accuracy, class_accuracies
from isthmus.methods import build_method
from isthmus.nn.backbones import Backbone, build_backbone
from isthmus.nn.classifiers import Classifier

LOGITS = torch.tensor([[2.0, 0.0, 0.0], [2.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, 3.0, 0.0]])


class Two(Backbone):
    """The first two values of an input."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))
        self.seen: list[int] = []

    def forward(self, inputs: Tensor) -> Tensor:
        assert not self.training
        self.seen.append(len(inputs))
        return inputs[:, :2] * self.scale


class Negative(nn.Module):
    """A classifier that gives its features' negative."""

    def forward(self, features: Tensor) -> Tensor:
        assert not self.training
        return -features


def fixed() -> Classifier:
    """A network whose logits are its features."""
    return Classifier(Two(), nn.Identity())


def test_accuracy_by_hand() -> None:
    labels = torch.tensor([0, 1, 2, 1])
    assert accuracy(LOGITS, labels) == 0.75
    assert class_accuracies(LOGITS, labels) == [1.0, 0.5, 1.0]
    absent = class_accuracies(LOGITS, torch.tensor([0, 0, 0, 0]))
    assert absent[0] == 0.5
    assert math.isnan(absent[1])


def test_inference_goes_in_batches_and_keeps_the_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inference, "BATCH", 40)
    problem, backbone = vectors_problem(), Two()
    network = Classifier(backbone, nn.Identity())
    assert isinstance(problem.target.samples, ArraySamples)
    outputs = infer(network, problem.target.samples, problem.input, others={"negative": Negative()})
    expected = problem.input.evaluate(problem.target.samples.values)[:, :2]
    assert backbone.seen == [40, 40, 16]
    assert torch.equal(features(network, problem.target.samples, problem.input), expected)
    assert torch.equal(outputs[RESULT], expected)
    assert torch.equal(outputs["negative"], -expected)
    assert not outputs[RESULT].requires_grad
    some = infer(network, problem.target.samples, problem.input, indices=torch.tensor([5, 3]))
    assert torch.equal(some[RESULT], expected[[5, 3]])


@pytest.mark.parametrize("scale", [math.inf, math.nan])
def test_outputs_that_are_not_finite_are_refused(scale: float) -> None:
    problem, backbone = vectors_problem(), Two()
    backbone.scale.data.fill_(scale)
    network = Classifier(backbone, nn.Identity())
    for look in (infer, features):
        with pytest.raises(DivergenceError, match="Use a smaller `--lr`"):
            look(network, problem.target.samples, problem.input)  # type: ignore[operator]


def test_ten_crops_are_averaged_as_probabilities() -> None:
    class Corners(Two):
        def forward(self, inputs: Tensor) -> Tensor:
            return inputs[:, 0, 0, :2] * self.scale

    stored = (torch.rand(3, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * 255).to(torch.uint8)
    input = ImageInput(1, 4, 8, (0.5,), (0.1,), ten_crop=True)
    network, samples = Classifier(Corners(), nn.Identity()), ArraySamples(stored)
    found = infer(network, samples, input)[RESULT]
    pairs = []
    for y, x in ((0, 0), (0, 4), (4, 0), (4, 4), (2, 2)):
        row = (stored[:, 0, y, x : x + 4] / 255 - 0.5) / 0.1
        pairs += [row[:, :2], row.flip(1)[:, :2]]
    expected = sum(pair.double().softmax(dim=1) for pair in pairs) / 10
    torch.testing.assert_close(found.double().exp(), expected, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(features(network, samples, input), torch.stack(pairs).mean(dim=0))


def test_an_examination_measures_the_exam_and_the_training_samples() -> None:
    problem = vectors_problem()
    assert problem.exam is not None
    assert isinstance(problem.exam.samples, ArraySamples)
    found = examine([fixed()], problem, others={"negative": Negative()})
    logits = problem.input.evaluate(problem.exam.samples.values)[:, :2]
    right = (logits[:, 1] > logits[:, 0]).long() == problem.exam.labels.values
    assert found.metrics["result"] == pytest.approx(right.double().mean().item())
    assert found.metrics["negative"] == pytest.approx(1 - found.metrics["result"])
    probabilities = logits.softmax(dim=1)
    entropy = -(probabilities * probabilities.log()).sum(dim=1).mean().item()
    assert found.scores["entropy"] == pytest.approx(-entropy, abs=1e-5)
    assert found.unpredicted == []


def test_unpredicted_classes_are_named() -> None:
    problem = images_problem()
    torch.manual_seed(0)
    method = build_method("source_only", build_backbone("digits:dropout=0", problem.input.shape), 3)
    last = [layer for layer in method.modules() if isinstance(layer, nn.Linear)][-1]
    with torch.no_grad():
        last.bias.copy_(torch.tensor([0.0, 1e4, 0.0]))
    assert examine(method.predictors(), problem).unpredicted == ["top", "bottom"]


def test_an_examination_without_an_exam_has_scores_only() -> None:
    found = examine([fixed()], replace(vectors_problem(), exams=()))
    assert found.metrics == {}
    assert set(found.scores) == {"information_maximisation", "entropy"}


@pytest.mark.parametrize(("there", "auto"), [((), "cpu"), (("cuda",), "cuda"), (("mps",), "mps")])
def test_a_network_runs_on_what_the_machine_has(
    monkeypatch: pytest.MonkeyPatch, there: tuple[str, ...], auto: str
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: "cuda" in there)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: "mps" in there)
    assert device_of("auto").type == auto
    assert device_of("cpu").type == "cpu"
    missing = next(name for name in ("cuda", "mps") if name not in there)
    with pytest.raises(OptionError, match=f"of this machine .*, but got `{missing}`"):
        device_of(missing)  # type: ignore[arg-type]
