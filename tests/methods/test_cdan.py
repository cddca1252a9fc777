"""CDAN: when the map is randomised, what is constant to the domain's loss, and the weights of CDAN+E."""

from __future__ import annotations

import pytest
import torch
from small_problems import vectors_problem

from isthmus.data.batches import UnsupervisedBatch
from isthmus.data.loaders import batches
from isthmus.functional.adversarial import domain_discrimination
from isthmus.functional.schedules import ramp
from isthmus.methods import Method, Update, build_method
from isthmus.nn.backbones import MLPBackbone
from isthmus.nn.discriminators import ConditionalDiscriminator


def method(options: str = "") -> Method[UnsupervisedBatch]:
    torch.manual_seed(0)
    return build_method(f"cdan:{options}" if options else "cdan", MLPBackbone(8, hidden=16), 2).double()


def update(options: str = "", progress: float = 0.5) -> tuple[Method[UnsupervisedBatch], Update]:
    built = method(options)
    batch = next(batches(vectors_problem(), seed=0, start=0, stop=1))
    (step,) = built.steps(
        UnsupervisedBatch(
            source=type(batch.source)(batch.source.images.double(), batch.source.labels),
            target=type(batch.target)(batch.target.images.double()),
        ),
        progress,
    )
    return built, step


@pytest.mark.parametrize(("features", "classes", "randomised"), [(1024, 4, False), (1024, 5, True), (2048, 31, True)])
def test_more_than_4096_products_are_replaced_by_random_ones(features: int, classes: int, randomised: bool) -> None:
    discriminator = ConditionalDiscriminator(features, classes, hidden=8, layers=1)
    assert next(discriminator.parameters()).shape == (8, 1024 if randomised else features * classes)
    assert {name for name in discriminator.state_dict() if name.startswith("matrix")} == (
        {"matrix_f", "matrix_g"} if randomised else set()
    )
    assert len(list(discriminator.parameters())) == 4
    logits = discriminator(torch.randn(3, features), torch.full((3, classes), 1 / classes))
    assert logits.shape == (3,)


def test_random_matrices_are_saved() -> None:
    torch.manual_seed(0)
    first, second = (ConditionalDiscriminator(1024, 5, hidden=8, layers=1) for _ in range(2))
    features, predictions = torch.randn(3, 1024), torch.randn(3, 5).softmax(1)
    assert not torch.allclose(first(features, predictions), second(features, predictions))
    second.load_state_dict(first.state_dict())
    assert torch.equal(first(features, predictions), second(features, predictions))


@pytest.mark.parametrize("options", ["", "entropy=true"])
def test_the_classifier_learns_from_the_source_labels_alone(options: str) -> None:
    built, step = update(options)
    head = list(built.get_submodule("head").parameters())
    assert all(part is None for part in torch.autograd.grad(step.log["domain"], head, allow_unused=True))


@pytest.mark.parametrize("progress", [0.05, 0.5])
def test_the_backbone_descends_the_reversed_loss(progress: float) -> None:
    built, step = update(progress=progress)
    assert step.source is not None
    assert step.target is not None
    head, discriminator = built.get_submodule("head"), built.get_submodule("discriminator")
    plain = domain_discrimination(
        *(discriminator(features, head(features).detach().softmax(1)) for features in (step.source, step.target))
    )
    torch.testing.assert_close(step.log["domain"], plain)
    weight = next(built.backbone.parameters())
    (gradient,) = torch.autograd.grad(plain, weight, retain_graph=True)
    torch.testing.assert_close(torch.autograd.grad(step.log["domain"], weight)[0], -ramp(progress) * gradient)


def test_certain_images_weigh_more_in_cdan_e() -> None:
    """The loss from the update's own features, written out."""
    built, step = update("entropy=true")
    expected = torch.tensor(0.0, dtype=torch.float64)
    assert step.source is not None
    assert step.target is not None
    for features, side in ((step.source, -1), (step.target, 1)):
        p = built.get_submodule("head")(features).softmax(1)
        w = 1 + (p * p.log()).sum(1).exp()
        told = torch.sigmoid(side * built.get_submodule("discriminator")(features, p))
        expected = expected - (w * told.log()).sum() / w.sum() / 2
    torch.testing.assert_close(step.log["domain"], expected)
    assert step.log["domain"].item() != pytest.approx(update()[1].log["domain"].item(), abs=1e-6)
