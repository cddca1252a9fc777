"""Deep CORAL's options."""

from __future__ import annotations

import pytest
import torch
from small_problems import images_problem

from isthmus.data.loaders import batches
from isthmus.errors import OptionError
from isthmus.functional.moments import coral
from isthmus.methods import build_method
from isthmus.nn.backbones import MLPBackbone, build_backbone


@pytest.mark.parametrize("layer", ["logits", "features"])
def test_the_layer_is_the_options(layer: str) -> None:
    torch.manual_seed(0)
    problem = images_problem()
    backbone = build_backbone(problem.backbone, problem.input.shape)
    method = build_method(f"deep_coral:layer={layer},trade_off=0.3", backbone, problem.task.num_classes)
    update = next(method.steps(next(batches(problem, seed=0, start=0, stop=1)), 0.5))
    assert update.source is not None
    assert update.target is not None
    values = [update.source, update.target]
    if layer == "logits":
        values = [next(iter(method.classifiers().values()))(features) for features in values]
    torch.testing.assert_close(update.log["coral"], coral(*values))
    torch.testing.assert_close(update.objectives[0].loss, update.log["task"] + 0.3 * update.log["coral"])


@pytest.mark.parametrize("option", ["trade_off=-1", "layer=conv"])
def test_impossible_options_are_refused(option: str) -> None:
    with pytest.raises(OptionError, match=option.partition("=")[0]):
        build_method(f"deep_coral:{option}", MLPBackbone(4), 3)
