"""MCC and BNM: their losses on the target's predictions, and what their options do."""

from __future__ import annotations

import pytest
import torch
from small_problems import vectors_problem

from isthmus.data.loaders import batches
from isthmus.errors import OptionError
from isthmus.functional.confusion import class_confusion
from isthmus.functional.information import entropy_weights
from isthmus.methods import Update, build_method
from isthmus.nn.backbones import MLPBackbone


def update(name: str) -> tuple[torch.nn.Module, Update]:
    torch.manual_seed(0)
    method = build_method(name, MLPBackbone(8, hidden=16), 2)
    (step,) = method.steps(next(batches(vectors_problem(), seed=0, start=0, stop=1)), 0.5)
    return method.get_submodule("head"), step


@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_confusion_is_that_of_tempered_target_predictions(temperature: float) -> None:
    head, step = update("mcc" if temperature == 2.5 else f"mcc:temperature={temperature}")
    assert step.target is not None
    logits = head(step.target) / temperature
    torch.testing.assert_close(step.log["confusion"], class_confusion(logits, entropy_weights(logits)))


def test_weights_of_the_confusion_are_constants() -> None:
    head, step = update("mcc")
    assert step.target is not None
    logits = head(step.target) / 2.5
    constant = class_confusion(logits, entropy_weights(logits).detach())
    found, expected = (torch.autograd.grad(loss, head.weight)[0] for loss in (step.log["confusion"], constant))
    torch.testing.assert_close(found, expected)


def test_the_nuclear_norm_is_maximised() -> None:
    for trade_off in (0.0, 1.0, 3.0):
        _, step = update(f"bnm:trade_off={trade_off}")
        (objective,) = step.objectives
        torch.testing.assert_close(objective.loss, step.log["task"] - trade_off * step.log["nuclear_norm"])


@pytest.mark.parametrize("name", ["mcc:temperature=0", "mcc:trade_off=-1", "bnm:trade_off=-1"])
def test_impossible_options_are_refused(name: str) -> None:
    with pytest.raises(OptionError, match=r"`(temperature|trade_off)`"):
        build_method(name, MLPBackbone(8), 2)
