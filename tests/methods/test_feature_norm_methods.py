"""HAFN and SAFN: which norms they measure, and that training moves them."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from lightning.fabric import Fabric
from small_problems import RECIPE, images_problem

from isthmus.data.loaders import batches
from isthmus.engine.trainer import Trainer
from isthmus.errors import OptionError
from isthmus.methods import build_method
from isthmus.nn.backbones import MLPBackbone, build_backbone
from isthmus.nn.classifiers import classifier, hidden_and_logits


@pytest.mark.parametrize(("backbone", "width"), [("digits:dropout=0", 100), ("resnet18:pretrained=false", 512)])
def test_hidden_features_are_what_the_last_layer_sees(backbone: str, width: int) -> None:
    torch.manual_seed(0)
    net = build_backbone(backbone, (1, 32, 32) if backbone.startswith("digits") else (3, 32, 32))
    head = classifier(net, 3)
    features = torch.randn(4, net.out_features)
    hidden, logits = hidden_and_logits(head, features)
    last = [module for module in head.modules() if isinstance(module, torch.nn.Linear)][-1]
    assert hidden.shape == (4, width)
    torch.testing.assert_close(logits, last(hidden))
    torch.testing.assert_close(logits, head(features))


@pytest.mark.parametrize("name", ["hafn", "safn"])
def test_logged_norms_are_those_of_the_hidden_features(name: str) -> None:
    problem = images_problem()
    torch.manual_seed(0)
    method = build_method(name, build_backbone(problem.backbone, problem.input.shape), 3)
    batch = next(batches(problem, seed=0, start=0, stop=1))
    (update,) = method.steps(batch, 0.5)
    head = method.get_submodule("head")
    for domain, images in (("source", batch.source.images), ("target", batch.target.images)):
        hidden = head[:-1](method.backbone(images))  # type: ignore[index]
        expected = sum(math.sqrt(sum(x * x for x in row)) for row in hidden.tolist()) / len(hidden)
        assert update.log[f"{domain}_norm"].item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("name", "options"), [("hafn", "radius=25"), ("safn", "entropy_weight=0")])
def test_training_enlarges_the_norms_of_both_domains(name: str, options: str) -> None:
    """More than training on the source alone does from the same start."""
    ends = []
    for weight in ("0", "0.05"):
        torch.manual_seed(0)
        problem = images_problem(replace(RECIPE, epochs=8))
        method = build_method(
            f"{name}:{options},weight={weight}", build_backbone(problem.backbone, problem.input.shape), 3
        )
        logs: list[dict[str, float]] = []
        Trainer(method, problem, Fabric(accelerator="cpu", devices=1), seed=0).run(
            lambda epoch, losses, logs=logs: logs.append(losses)  # type: ignore[misc]
        )
        ends.append(logs[-1])
    assert all(ends[1][norm] > ends[0][norm] + 0.5 for norm in ("source_norm", "target_norm"))


@pytest.mark.parametrize(
    "name", ["hafn:radius=0", "hafn:weight=-1", "safn:step=0", "safn:weight=-1", "safn:entropy_weight=-0.1"]
)
def test_options_out_of_range_are_refused(name: str) -> None:
    with pytest.raises(OptionError):
        build_method(name, MLPBackbone(4), 3)
