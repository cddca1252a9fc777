"""What the paper says of SymNets' training besides its losses."""

from __future__ import annotations

import pytest

from isthmus.methods import build_method
from isthmus.nn.backbones import MLPBackbone


@pytest.mark.parametrize(
    ("pretrained", "expected"), [(True, {"backbone": 0.001, "head": 0.01}), (False, {"backbone": 0.01, "head": 0.1})]
)
def test_classifiers_learn_ten_times_faster_than_the_features(pretrained: bool, expected: dict[str, float]) -> None:
    """Section 4.1: "the learning rate of the classifier is 10 times that of the feature extractor", at 0.01 and 0.001."""
    backbone = MLPBackbone(4)
    backbone.pretrained = pretrained
    assert build_method("symnets", backbone, 3).learning_rates(0.01, 0.1) == pytest.approx(expected)


def test_the_target_classifier_gives_the_result() -> None:
    assert list(build_method("symnets", MLPBackbone(4), 3).classifiers()) == ["target", "source"]
