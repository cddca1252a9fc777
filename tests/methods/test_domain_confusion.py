"""Domain confusion: who descends what, by the paper's equations."""

from __future__ import annotations

import math

import pytest
import torch
from small_problems import images_problem

from isthmus.data.batches import Layout
from isthmus.data.loaders import batches
from isthmus.methods import build_method
from isthmus.methods.unsupervised.domain_confusion import DomainConfusion
from isthmus.nn.backbones import MLPBackbone, build_backbone

PROGRESS = 0.3


def test_both_sides_descend_the_papers_objectives() -> None:
    """(4): features and classifier E_task + λF, the discriminator E_domain; from probabilities, in one step."""
    torch.manual_seed(0)
    problem = images_problem()
    method = DomainConfusion(build_backbone(problem.backbone, problem.input.shape), 3).double()
    batch = next(batches(problem, seed=0, start=0, stop=1)).to(Layout(torch.device("cpu"), torch.float64))
    (update,) = method.steps(batch, PROGRESS)

    f_s, f_t = method.backbone(batch.source.images), method.backbone(batch.target.images)
    p, labels = method.head(f_s).softmax(1).tolist(), batch.source.labels.tolist()
    task = -sum(math.log(row[y]) for row, y in zip(p, labels)) / len(p)
    d_s, d_t = ((1 / (1 + (-method.discriminator(f)).exp())).tolist() for f in (f_s, f_t))
    domain = -sum(math.log(1 - d) for d in d_s) / len(d_s) - sum(math.log(d) for d in d_t) / len(d_t)
    confusion = domain / 2
    confusion -= sum(math.log(d) for d in d_s) / (2 * len(d_s)) + sum(math.log(1 - d) for d in d_t) / (2 * len(d_t))
    strength = 2 / (1 + math.exp(-10 * PROGRESS)) - 1

    features, discriminator = update.objectives
    assert (features.on, discriminator.on) == (("backbone", "head"), ("discriminator",))
    assert features.loss.item() == pytest.approx(task + strength * confusion, rel=1e-9)
    assert discriminator.loss.item() == pytest.approx(domain, rel=1e-9)


def test_on_resnet_features_the_discriminator_has_two_layers_of_1024() -> None:
    backbone = MLPBackbone(4, hidden=2048)
    method = build_method("domain_confusion", backbone, 3)
    assert isinstance(method, DomainConfusion)
    linear = [layer for layer in method.discriminator.modules() if isinstance(layer, torch.nn.Linear)]
    assert [layer.in_features for layer in linear] == [2048, 1024, 1024]
    assert linear[-1].out_features == 1
