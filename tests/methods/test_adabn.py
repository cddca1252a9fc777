"""AdaBN: the source trains the weights, the target makes the statistics."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from lightning.fabric import Fabric
from small_problems import images_problem, one_batch
from torch import Tensor

from isthmus.data.batches import UnsupervisedBatch
from isthmus.data.recipes import Recipe
from isthmus.engine.trainer import Trainer
from isthmus.errors import OptionError
from isthmus.methods import Method, build_method
from isthmus.names import BatchNormPolicy
from isthmus.nn.backbones import build_backbone
from isthmus.nn.batch_norm import batch_norms

PROBLEM = images_problem(Recipe(epochs=2, batch_size=8, lr=0.05))


def build(name: str, policy: BatchNormPolicy = "separate", backbone: str = "digits:dropout=0") -> Method[object]:
    torch.manual_seed(0)
    return build_method(name, build_backbone(backbone, (1, 16, 16), batch_norm=policy), 3)


def train(name: str, policy: BatchNormPolicy = "separate") -> Method[object]:
    method = build(name, policy)
    Trainer(method, PROBLEM, Fabric(accelerator="cpu", devices=1), seed=0).run(lambda epoch, losses: None)
    return method


def statistics(method: Method[object], group: str) -> list[Tensor]:
    return [buffer.clone() for buffer in method.get_submodule(group).buffers()]


@pytest.mark.parametrize("policy", ["separate", "joint", "frozen"])
def test_weights_are_those_of_source_only(policy: BatchNormPolicy) -> None:
    adapted, plain = train("adabn", policy), train("source_only", policy)
    for (name, found), (_, expected) in zip(adapted.named_parameters(), plain.named_parameters()):
        assert torch.equal(found, expected), name


@pytest.mark.parametrize("group", ["backbone", "head"])
def test_statistics_follow_the_target_alone(group: str) -> None:
    def after_a_step(batch: UnsupervisedBatch) -> list[Tensor]:
        method = build("adabn")
        for _ in method.steps(batch, 0.0):
            pass
        return statistics(method, group)

    batch = one_batch()
    found = after_a_step(batch)
    other_source = replace(batch, source=replace(batch.source, images=batch.source.images * 3 + 1))
    other_target = replace(batch, target=replace(batch.target, images=batch.target.images * 3 + 1))
    assert all(torch.equal(a, b) for a, b in zip(found, after_a_step(other_source)))
    assert not all(torch.equal(a, b) for a, b in zip(found, after_a_step(other_target)))
    # Those of a network that has seen the target once.
    plain = build("source_only").train()
    plain.get_submodule("head")(plain.backbone(batch.target.images))
    assert all(torch.equal(a, b) for a, b in zip(found, statistics(plain, group)))


def test_frozen_statistics_of_the_backbone_stay_and_those_of_the_classifier_adapt() -> None:
    fresh, trained = build("adabn", "frozen"), train("adabn", "frozen")
    assert all(torch.equal(a, b) for a, b in zip(statistics(fresh, "backbone"), statistics(trained, "backbone")))
    assert not all(torch.equal(a, b) for a, b in zip(statistics(fresh, "head"), statistics(trained, "head")))


def test_prediction_normalises_the_target_to_mean_zero_and_variance_one() -> None:
    """After many passes of one target batch the first layer's statistics are that batch's."""
    method = build("adabn").train()
    batch = one_batch()
    with torch.no_grad():
        convolved = method.backbone.layers[0](batch.target.images)  # type: ignore[index, operator]
    for _ in range(200):
        for _ in method.steps(batch, 0.0):
            pass
    layer = batch_norms(method.backbone)[0]
    normalised = layer.eval()(convolved)
    torch.testing.assert_close(normalised.mean((0, 2, 3)), torch.zeros(32), atol=1e-4, rtol=0)
    torch.testing.assert_close(normalised.var((0, 2, 3)), torch.ones(32), atol=2e-2, rtol=0)


@pytest.mark.parametrize(
    ("backbone", "policy"),
    [("resnet18:pretrained=false", "frozen"), ("vit_tiny_patch16_224:pretrained=false", "separate")],
)
def test_a_network_without_statistics_to_adapt_is_refused(backbone: str, policy: BatchNormPolicy) -> None:
    with pytest.raises(OptionError, match="adapts the statistics of batch normalisation"):
        build("adabn", policy, backbone)
