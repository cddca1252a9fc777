"""JAN's schedule and options."""

from __future__ import annotations

import math

import pytest
import torch
from small_problems import images_problem

from isthmus.data.loaders import batches
from isthmus.errors import OptionError
from isthmus.methods import build_method
from isthmus.nn.backbones import MLPBackbone, build_backbone


@pytest.mark.parametrize("progress", [0.0, 0.1, 1.0])
def test_the_joint_mmd_gains_weight_with_progress(progress: float) -> None:
    torch.manual_seed(0)
    problem = images_problem()
    backbone = build_backbone(problem.backbone, problem.input.shape)
    method = build_method("jan:trade_off=0.3", backbone, problem.task.num_classes)
    update = next(method.steps(next(batches(problem, seed=0, start=0, stop=1)), progress))
    strength = 0.3 * (2 / (1 + math.exp(-10 * progress)) - 1)
    torch.testing.assert_close(update.objectives[0].loss, update.log["task"] + strength * update.log["joint_mmd"])


@pytest.mark.parametrize("option", ["trade_off=-1", "gamma=0", "kernels=0", "prediction_bandwidth=0", "estimate=exact"])
def test_impossible_options_are_refused(option: str) -> None:
    with pytest.raises(OptionError, match=option.partition("=")[0]):
        build_method(f"jan:{option}", MLPBackbone(4), 3)
