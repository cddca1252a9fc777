"""Examinations of joint problems: every domain by its own network, and their mean."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from sklearn.metrics import accuracy_score
from small_problems import images_problem, joint_problem
from torch import Tensor, nn

from isthmus.evaluation.examination import examine
from isthmus.evaluation.inference import RESULT, infer
from isthmus.methods import build_method
from isthmus.nn.backbones import build_backbone
from isthmus.selection.scores import SCORES


class Constant(nn.Module):
    """Logits that do not depend on the features."""

    def __init__(self, *logits: float) -> None:
        super().__init__()
        self.logits = torch.tensor(logits)

    def forward(self, features: Tensor) -> Tensor:
        return self.logits.expand(len(features), -1)


def test_every_domain_is_measured_by_its_own_network() -> None:
    problem = joint_problem()
    torch.manual_seed(0)
    method = build_method("isolated", build_backbone("digits", problem.input.shape), *problem.outputs)
    found = examine(method.predictors(), problem)
    expected, scores = {}, []
    for predictor, exam, domain in zip(method.predictors(), problem.exams, problem.domains):
        logits = infer(predictor, exam.samples, problem.input)[RESULT]
        expected[exam.name] = float(accuracy_score(exam.labels.values, logits.argmax(dim=1)))
        scores.append(infer(predictor, domain.samples, problem.input)[RESULT])
    assert list(found.metrics) == ["average", "plain", "upright", "inverted"]
    assert found.metrics == pytest.approx({"average": sum(expected.values()) / 3, **expected})
    for name, score in SCORES.items():
        assert found.scores[name] == pytest.approx(sum(float(score(logits)) for logits in scores) / 3)
    assert examine(method.predictors(), replace(problem, exams=())).metrics == {}


def test_classes_that_are_never_predicted_have_their_domains_name() -> None:
    problem = joint_problem()
    method = build_method("isolated", build_backbone("digits", problem.input.shape), *problem.outputs)
    for place, head in enumerate((Constant(1, 0, 0), Constant(0, 1), Constant(0, 0, 1))):
        method.learner(place).head = head
    assert examine(method.predictors(), problem).unpredicted == [
        "middle of plain",
        "bottom of plain",
        "left of upright",
        "top of inverted",
        "middle of inverted",
    ]


@pytest.mark.parametrize("transductive", [True, False])
def test_samples_that_are_trained_on_and_measured_on_pass_once(transductive: bool) -> None:
    problem = images_problem()
    exam = problem.exams[0]
    if not transductive:
        copied = type(exam.samples)(exam.samples.values.clone())  # type: ignore[attr-defined,call-arg]
        problem = replace(problem, exams=(replace(exam, samples=copied, transductive=False),))
    method = build_method("symnets", build_backbone("digits", problem.input.shape), *problem.outputs)
    passed: list[int] = []
    method.backbone.register_forward_hook(lambda module, inputs, output: passed.append(len(output)))  # type: ignore[union-attr]
    found = examine(method.predictors(), problem, others=method.other_classifiers())
    assert sum(passed) == 24 * (1 if transductive else 2)
    assert list(found.metrics) == ["result", "source"]
    own, other = (
        infer(method.predictors()[0], exam.samples, problem.input, others=method.other_classifiers())[name]
        for name in found.metrics
    )
    truth = exam.labels.values
    assert found.metrics["result"] == pytest.approx(float(accuracy_score(truth, own.argmax(dim=1))))
    assert found.metrics["source"] == pytest.approx(float(accuracy_score(truth, other.argmax(dim=1))))
