"""DAN's options."""

from __future__ import annotations

import pytest
import torch
from small_problems import images_problem

from isthmus.data.loaders import batches
from isthmus.errors import OptionError
from isthmus.methods import build_method
from isthmus.methods.base import Update
from isthmus.nn.backbones import MLPBackbone, build_backbone


def first_update(name: str) -> Update:
    torch.manual_seed(0)
    problem = images_problem()
    method = build_method(name, build_backbone(problem.backbone, problem.input.shape), problem.task.num_classes)
    return next(method.steps(next(batches(problem, seed=0, start=0, stop=1)), 0.5))


def test_the_estimate_is_the_options() -> None:
    values = {first_update(f"dan:estimate={e}").log["mmd_features"].item() for e in ("linear", "unbiased", "biased")}
    assert len(values) == 3


@pytest.mark.parametrize("option", ["trade_off=-1", "layers=conv", "kernels=0", "estimate=exact"])
def test_impossible_options_are_refused(option: str) -> None:
    with pytest.raises(OptionError, match=option.partition("=")[0]):
        build_method(f"dan:{option}", MLPBackbone(4), 3)
