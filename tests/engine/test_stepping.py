"""Steps of the optimisers against their formulas, and what half precision and several processes leave of a step."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from isthmus.data.recipes import Recipe
from isthmus.engine.stepping import Stepper
from isthmus.methods import Update, build_method
from isthmus.nn.backbones import build_backbone

PLAIN = Recipe(lr=0.1, momentum=0.0, weight_decay=0.0, schedule="constant", clip_norm=1.0)


def stepper_of(recipe: Recipe, precision: str = "64-true", processes: int = 1) -> tuple[Stepper, nn.Parameter]:
    """One in float64, with the weight of its method's head."""
    method = build_method("source_only", build_backbone("mlp:hidden=2,layers=1", (2,)), 2).double()
    strategy = SimpleNamespace(precision=SimpleNamespace(precision=precision))
    fabric: Any = SimpleNamespace(device=torch.device("cpu"), world_size=processes, strategy=strategy)
    weight = method.get_parameter("head.weight")
    return Stepper(method, (), recipe, fabric), weight


def descend(stepper: Stepper, weight: nn.Parameter, gradient: Tensor) -> Tensor:
    """How far a step moves the weight, against a gradient."""
    before = weight.detach().clone()
    stepper.step(Update((weight * gradient).sum(), on=("head",)))
    return before - weight.detach()


def sgd(weight: float, gradients: list[float], lr: float, momentum: float, decay: float) -> float:
    """With Nesterov's momentum, as torch's documentation of `SGD` has it."""
    velocity = 0.0
    for gradient in gradients:
        gradient += decay * weight
        velocity = momentum * velocity + gradient
        weight -= lr * (gradient + momentum * velocity)
    return weight


def adam(weight: float, gradients: list[float], lr: float, momentum: float, decay: float) -> float:
    """With an L2 penalty, as torch's documentation of `Adam` has it."""
    first = second = 0.0
    for step, gradient in enumerate(gradients, 1):
        gradient += decay * weight
        first = momentum * first + (1 - momentum) * gradient
        second = 0.999 * second + 0.001 * gradient**2
        weight -= lr * first / (1 - momentum**step) / ((second / (1 - 0.999**step)) ** 0.5 + 1e-8)
    return weight


def adamw(weight: float, gradients: list[float], lr: float, momentum: float, decay: float) -> float:
    """Adam's moments of the loss alone; the weight decays beside them."""
    first = second = 0.0
    for step, gradient in enumerate(gradients, 1):
        first = momentum * first + (1 - momentum) * gradient
        second = 0.999 * second + 0.001 * gradient**2
        weight *= 1 - lr * decay
        weight -= lr * first / (1 - momentum**step) / ((second / (1 - 0.999**step)) ** 0.5 + 1e-8)
    return weight


@pytest.mark.parametrize("optimizer", [sgd, adam, adamw])
def test_three_steps_are_those_of_the_optimisers_formula(optimizer: Any) -> None:
    recipe = Recipe(optimizer=optimizer.__name__, lr=0.1, momentum=0.8, weight_decay=0.5, schedule="constant")
    stepper, weight = stepper_of(recipe)
    gradients = torch.tensor(
        [[[1.0, -2.0], [0.5, 3.0]], [[-0.5, 1.0], [2.0, -1.0]], [[4.0, 0.3], [-1.0, 1.0]]]
    ).double()
    starts = weight.flatten().tolist()
    for gradient in gradients:
        descend(stepper, weight, gradient)
    ends = [optimizer(start, g, 0.1, 0.8, 0.5) for start, g in zip(starts, gradients.flatten(1).T.tolist())]
    assert weight.flatten().tolist() == pytest.approx(ends, rel=1e-9)


def test_what_is_clipped_is_the_gradient_of_the_loss_however_the_loss_is_scaled() -> None:
    """A gradient of norm 5 is clipped to norm 1, and one of norm 0.5 is left alone."""
    stepper, weight = stepper_of(PLAIN, "16-mixed")
    assert stepper.scaler.is_enabled()
    for gradient, clipped in (((3.0, 4.0), (0.6, 0.8)), ((0.3, 0.4), (0.3, 0.4))):
        moved = descend(stepper, weight, torch.tensor([gradient, (0.0, 0.0)]).double())
        torch.testing.assert_close(moved[0], 0.1 * torch.tensor(clipped).double(), rtol=1e-4, atol=0.0)


def test_the_scale_of_the_losses_is_part_of_the_state() -> None:
    """A step that overflows halves it."""
    stepper, weight = stepper_of(PLAIN, "16-mixed")
    start = stepper.scaler.get_scale()
    for size in (torch.inf, 1.0, 1.0):
        descend(stepper, weight, torch.full_like(weight, size))
    assert stepper.scaler.get_scale() == start / 2
    other, _ = stepper_of(PLAIN, "16-mixed")
    other.load_state_dict(stepper.state_dict())
    assert other.scaler.get_scale() == start / 2
    assert other.scaler.state_dict() == stepper.scaler.state_dict()


def test_processes_clip_the_mean_of_their_gradients(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ours of (8, 0) and another's of (0, 6) have a mean of norm 5."""
    stepper, weight = stepper_of(PLAIN, processes=2)
    ours, others = (torch.tensor([row, (0.0, 0.0)]).double() for row in ((8.0, 0.0), (0.0, 6.0)))
    monkeypatch.setattr(torch.distributed, "all_reduce", lambda flat: flat.add_(others.flatten()))
    moved = descend(stepper, weight, ours)
    torch.testing.assert_close(moved[0], torch.tensor([0.08, 0.06]).double(), rtol=1e-4, atol=0.0)


def test_what_overflows_in_another_process_is_skipped_in_this_one(monkeypatch: pytest.MonkeyPatch) -> None:
    stepper, weight = stepper_of(PLAIN, "16-mixed", processes=2)
    monkeypatch.setattr(torch.distributed, "all_reduce", lambda flat: flat.add_(torch.inf))
    start = stepper.scaler.get_scale()
    assert (descend(stepper, weight, torch.ones_like(weight)) == 0).all()
    assert stepper.scaler.get_scale() == start / 2


@pytest.mark.parametrize("clip_norm", [None, 1.0])
def test_a_step_that_overflows_in_one_group_is_skipped_in_all(clip_norm: float | None) -> None:
    stepper, weight = stepper_of(replace(PLAIN, clip_norm=clip_norm), "16-mixed")
    other, then = stepper.parameters["backbone"][0], []

    def step(size: float) -> bool:
        """Whether both groups move, or none, by a gradient of this size for one and of 1 for the other."""
        before = [parameter.detach().clone() for parameter in (weight, other)]
        stepper.step(Update(size * other.sum() + weight.sum(), on=("backbone", "head"), then=then.append))
        moved = [not torch.equal(*pair) for pair in zip(before, (weight, other))]
        assert all(moved) or not any(moved)
        return all(moved)

    assert [step(size) for size in (1.0, torch.inf, torch.nan, 1.0)] == [True, False, False, True]
    assert len(then) == 2
