"""JAN's options."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
import torch

from isthmus.data.batches import Labelled, Unlabelled, UnsupervisedBatch
from isthmus.errors import OptionError
from isthmus.methods import build_method
from isthmus.nn.backbones import MLPBackbone


@pytest.mark.parametrize("option", ["trade_off=-1", "gamma=0", "kernels=0", "prediction_bandwidth=0", "estimate=exact"])
def test_impossible_options_are_refused(option: str) -> None:
    with pytest.raises(OptionError, match=option.partition("=")[0]):
        build_method(f"jan:{option}", MLPBackbone(4), 3)


def pairs(first: Sequence[int], second: Sequence[int], *, distinct: bool) -> list[tuple[int, int]]:
    return [(i, j) for i in first for j in second if i != j or not distinct]


@pytest.mark.parametrize("estimate", ["unbiased", "biased", "linear"])
def test_the_joint_discrepancy_is_estimated_from_the_pairs_asked_for(estimate: str) -> None:
    """Of six samples of each domain, a pair at a time in float64."""
    random = torch.Generator().manual_seed(0)
    images = torch.randn(12, 4, generator=random).double() + torch.arange(12)[:, None] // 6
    batch = UnsupervisedBatch(Labelled(images[:6], torch.tensor([0, 1, 2, 0, 1, 2])), Unlabelled(images[6:]))
    torch.manual_seed(0)
    method = build_method(f"jan:estimate={estimate}", MLPBackbone(4, hidden=5), 3).double()
    (update,) = method.steps(batch, 0.5)

    groups = method.groups()
    with torch.no_grad():
        features = torch.cat([groups["backbone"](part) for part in images.split(6)])
        predictions = groups["head"](features).softmax(dim=1)
    everyone = range(12)
    squared = {(i, j): (features[i] - features[j]).square().sum().item() for i in everyone for j in everyone}
    bandwidth = sum(squared.values()) / (12 * 11)

    def kernel(i: int, j: int) -> float:
        of_features = sum(math.exp(-squared[i, j] / (bandwidth * 2.0**u)) for u in range(-2, 3))
        return of_features * math.exp(-(predictions[i] - predictions[j]).square().sum().item() / 1.68)

    def mean(chosen: list[tuple[int, int]]) -> float:
        return sum(kernel(i, j) for i, j in chosen) / len(chosen)

    source, target, distinct = range(6), range(6, 12), estimate == "unbiased"
    expected = sum(mean(pairs(own, own, distinct=distinct)) for own in (source, target))
    expected -= 2 * mean(pairs(source, target, distinct=False))
    if estimate == "linear":
        odd, even = range(0, 6, 2), range(1, 6, 2)
        within = mean([*zip(odd, even)]) + mean([(6 + i, 6 + j) for i, j in zip(odd, even)])
        expected = (
            within - mean([(i, 6 + j) for i, j in zip(odd, even)]) - mean([(i, 6 + j) for i, j in zip(even, odd)])
        )
    assert update.log["joint_mmd"].item() == pytest.approx(expected, rel=1e-9)
