"""What the paper says of SymNets' training besides its losses."""

from __future__ import annotations

import pytest

from isthmus.methods import build_method
from isthmus.nn.backbones import MLPBackbone


@pytest.mark.parametrize(("pretrained", "of_features", "of_classifiers"), [(True, 0.001, 0.01), (False, 0.01, 0.1)])
def test_classifiers_learn_ten_times_faster(pretrained: bool, of_features: float, of_classifiers: float) -> None:
    """Section 4.1: the classifier's rate is ten times that of the features, 0.01 and 0.001 when fine-tuning."""
    backbone = MLPBackbone(4)
    backbone.pretrained = pretrained
    rates = build_method("symnets", backbone, 3).learning_rates(0.01, 0.1)
    assert rates == pytest.approx({"backbone": of_features, "head": of_classifiers})


def test_the_target_classifier_gives_the_result() -> None:
    assert list(build_method("symnets", MLPBackbone(4), 3).classifiers()) == ["target", "source"]
