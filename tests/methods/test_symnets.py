"""SymNets' training besides its losses, and its ablations."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from small_problems import images_problem

from isthmus.data.batches import Layout, UnsupervisedBatch
from isthmus.data.loaders import batches
from isthmus.errors import OptionError
from isthmus.methods import Method, Update, build_method
from isthmus.methods.unsupervised.symnets import SymNets
from isthmus.nn.backbones import MLPBackbone, build_backbone

PROGRESS = 0.3


@pytest.mark.parametrize(("pretrained", "of_features", "of_classifiers"), [(True, 0.001, 0.01), (False, 0.01, 0.1)])
def test_classifiers_learn_ten_times_faster(pretrained: bool, of_features: float, of_classifiers: float) -> None:
    """Section 4.1: the classifier's rate is ten times that of the features, 0.01 and 0.001 when fine-tuning."""
    backbone = MLPBackbone(4)
    backbone.pretrained = pretrained
    rates = build_method("symnets", backbone, 3).learning_rates(0.01, 0.1)
    assert rates == pytest.approx({"backbone": of_features, "head": of_classifiers})


def test_the_target_classifier_gives_the_result() -> None:
    method = build_method("symnets", MLPBackbone(4), 3)
    (predictor,) = method.predictors()
    assert predictor.head is method.get_submodule("head.target")
    assert method.other_classifiers() == {"source": method.get_submodule("head.source")}


def updates(name: str) -> tuple[Method[Any], UnsupervisedBatch, list[Update]]:
    torch.manual_seed(0)
    problem = images_problem()
    method = build_method(name, build_backbone(problem.backbone, problem.input.shape), 3).double()
    batch = next(batches(problem, seed=0, start=0, stop=1)).to(Layout(torch.device("cpu"), torch.float64))
    return method, batch, list(method.steps(batch, PROGRESS))


def equations(method: Method[Any], batch: UnsupervisedBatch) -> dict[int, float]:
    """(5) to (13) without (11), from probabilities."""
    features = [method.backbone(images) for images in (batch.source.images, batch.target.images)]
    v_s, v_t = (torch.cat([c(f) for c in (method.head.source, method.head.target)], 1) for f in features)  # type: ignore[union-attr]
    p_s, p_t, y, i = v_s.softmax(1), v_t.softmax(1), batch.source.labels, torch.arange(len(v_s))
    q = p_t[:, :3] + p_t[:, 3:]
    of_source = v_s[:, :3].softmax(1)[i, y].log().mean()
    of_target = v_s[:, 3:].softmax(1)[i, y].log().mean()
    return {
        5: -of_source.item(),
        6: -of_target.item(),
        7: -(p_t[:, 3:].sum(1).log().mean() + p_s[:, :3].sum(1).log().mean()).item(),
        8: -(p_s[i, y + 3].log().mean() + p_s[i, y].log().mean()).item() / 2,
        9: -(p_t[:, 3:].sum(1).log().mean() + p_t[:, :3].sum(1).log().mean()).item() / 2,
        10: -(q * q.log()).sum(1).mean().item(),
        12: -(p_s[:, 3:].sum(1).log().mean() + p_s[:, :3].sum(1).log().mean()).item() / 2,
        13: -(of_source + of_target).item() / 2,
    }


LAMBDA = 2 / (1 + math.exp(-10 * PROGRESS)) - 1
ABLATIONS: dict[str, tuple[dict[int, float], dict[int, float]]] = {
    "symnets": ({5: 1, 6: 1, 7: 1}, {8: 1, 9: LAMBDA, 10: LAMBDA}),
    "symnets:without=target_task": ({5: 1, 7: 1}, {8: 1, 9: LAMBDA, 10: LAMBDA}),
    "symnets:without=entropy": ({5: 1, 6: 1, 7: 1}, {8: 1, 9: LAMBDA}),
    "symnets:without=category_confusion": ({5: 1, 6: 1, 7: 1}, {12: 1, 9: LAMBDA, 10: LAMBDA}),
    "symnets:without=confusion": ({5: 1, 6: 1, 7: 1}, {13: 1, 10: LAMBDA}),
}
"""Weights of the paper's equations in the losses of the classifiers and of the features."""


@pytest.mark.parametrize("name", ABLATIONS)
def test_each_ablation_descends_its_equations(name: str) -> None:
    method, batch, (update,) = updates(name)
    values = equations(method, batch)
    assert [objective.on for objective in update.objectives] == [("head",), ("backbone",)]
    for objective, weights in zip(update.objectives, ABLATIONS[name]):
        expected = sum(weight * values[number] for number, weight in weights.items())
        assert objective.loss.item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("name", ABLATIONS)
def test_each_loss_of_an_ablation_trains_the_group_it_claims(name: str) -> None:
    method, _, (update,) = updates(name)
    for objective in update.objectives:
        for group in objective.on:
            for parameter in method.groups()[group].parameters():
                (gradient,) = torch.autograd.grad(objective.loss, parameter, retain_graph=True)
                assert gradient.isfinite().all()
            assert gradient.norm() > 1e-7  # of the group's last parameter
    assert all(loss.requires_grad for loss in update.log.values())


def test_without_its_task_the_target_classifier_learns_from_discrimination_alone() -> None:
    """Its gradient is that of (7), and the source classifier gives the result."""
    method, batch, (update,) = updates("symnets:without=target_task")
    (predictor,) = method.predictors()
    assert predictor.head is method.get_submodule("head.source")
    assert method.other_classifiers() == {"target": method.get_submodule("head.target")}
    features = [method.backbone(images) for images in (batch.source.images, batch.target.images)]
    p_s, p_t = (torch.cat([c(f) for c in (method.head.source, method.head.target)], 1).softmax(1) for f in features)  # type: ignore[union-attr]
    discrimination = -p_t[:, 3:].sum(1).log().mean() - p_s[:, :3].sum(1).log().mean()
    weights = list(method.head.target.parameters())  # type: ignore[union-attr]
    gradients = torch.autograd.grad(update.objectives[0].loss, weights, retain_graph=True)
    for got, expected in zip(gradients, torch.autograd.grad(discrimination, weights)):
        torch.testing.assert_close(got, expected)


def test_an_ablation_that_is_not_there_is_refused() -> None:
    with pytest.raises(OptionError, match="category_confusion"):
        build_method("symnets:without=everything", MLPBackbone(4), 3)
    with pytest.raises(OptionError, match="category_confusion"):
        SymNets(MLPBackbone(4), 3, without="everything")  # type: ignore[arg-type]
