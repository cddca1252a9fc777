"""ADDA's stages: what trains in each, the frozen copy, and a run that is continued."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
import torch
from lightning.fabric import Fabric
from small_problems import images_problem, vectors_problem
from torch import Tensor

from isthmus.data.loaders import batches
from isthmus.data.recipes import Recipe
from isthmus.engine.trainer import Trainer
from isthmus.errors import OptionError
from isthmus.methods import build_method
from isthmus.nn.backbones import MLPBackbone, build_backbone
from isthmus.nn.classifiers import Classifier

PROBLEM = images_problem(Recipe(epochs=4, steps_per_epoch=2, batch_size=8, lr=0.05))


def trainer(name: str = "adda") -> Trainer:
    torch.manual_seed(0)
    backbone = build_backbone(PROBLEM.backbone, PROBLEM.input.shape)
    return Trainer(build_method(name, backbone, 3), PROBLEM, Fabric(accelerator="cpu", devices=1), seed=0)


def states(trained: Trainer) -> list[dict[str, dict[str, Tensor]]]:
    """Weights and statistics of every group, at the start and after each epoch."""
    groups = trained.method.groups()

    def snapshot() -> dict[str, dict[str, Tensor]]:
        return {name: copy.deepcopy(group.state_dict()) for name, group in groups.items()}

    found = [snapshot()]
    trained.run(lambda epoch, losses: found.append(snapshot()))
    return found


def equal(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_each_stage_trains_what_the_paper_says() -> None:
    start, first, pretrained, third, end = states(trainer())
    for state in (start, first, pretrained):
        assert equal(state["discriminator"], start["discriminator"])
    assert not equal(start["backbone"], first["backbone"])
    assert not equal(start["head"], first["head"])
    for state in (third, end):
        assert equal(state["source_backbone"], pretrained["backbone"]), "weights and statistics are frozen"
        assert equal(state["head"], pretrained["head"])
        assert not equal(state["backbone"], pretrained["backbone"])
        assert not equal(state["discriminator"], pretrained["discriminator"])


def test_the_target_network_starts_from_the_source_network() -> None:
    adapted = trainer("adda:adapt_lr=1e-30")
    *_, pretrained, _, end = states(adapted)
    for name, _ in adapted.method.backbone.named_parameters():  # the same but for weight decay
        torch.testing.assert_close(end["backbone"][name], pretrained["backbone"][name], rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("name", ["adda", "adda+entropy"])
def test_the_source_network_is_what_pretraining_has_made(name: str) -> None:
    """Of the last update before the stage: a term's, where there is one."""
    trained = trainer(f"{name}".replace("adda", "adda:adapt_lr=1e-30"))
    *_, pretrained, third, end = states(trained)
    for state in (third, end):
        assert equal(state["source_backbone"], pretrained["backbone"])


@pytest.mark.parametrize("epochs", [1, 2, 3])
def test_a_continued_run_ends_the_same(epochs: int) -> None:
    """Interrupted while pretraining, between the stages, and while adapting."""
    saved: dict[int, dict[str, Any]] = {}
    whole = trainer()
    whole.run(lambda epoch, losses: saved.update({epoch: copy.deepcopy(whole.state_dict())}))
    continued = trainer()
    continued.load_state_dict(saved[epochs])
    continued.run(lambda epoch, losses: None)
    assert equal(dict(whole.method.state_dict()), dict(continued.method.state_dict()))


def test_the_discriminator_steps_before_the_target_network_does() -> None:
    method = build_method("adda", MLPBackbone(8, hidden=16), 2)
    pretrain, adapt = method.stages()
    assert (pretrain.name, pretrain.until, adapt.name) == ("pretrain", 0.5, "adapt")
    steps = adapt.steps(next(batches(vectors_problem(), seed=0, start=0, stop=1)), 0.0)
    first = next(steps)
    assert first.groups == ("discriminator",)
    with torch.no_grad():
        for parameter in method.get_submodule("discriminator").parameters():
            parameter.zero_()
    second = next(steps)
    assert second.groups == ("backbone",)
    assert second.log["fooling"].item() == pytest.approx(math.log(2)), "it sees the discriminator's new weights"


def test_the_result_is_the_target_network_and_the_source_classifier() -> None:
    method = build_method("adda", MLPBackbone(8, hidden=16), 2)
    (predictor,) = method.predictors()
    assert predictor.backbone is method.backbone
    assert isinstance(predictor, Classifier)
    assert predictor.head is method.get_submodule("head")


@pytest.mark.parametrize("options", ["pretrain=0", "pretrain=1", "adapt_lr=0"])
def test_impossible_options_are_refused(options: str) -> None:
    with pytest.raises(OptionError, match=r"`(pretrain|adapt_lr)`"):
        build_method(f"adda:{options}", MLPBackbone(8), 2)
