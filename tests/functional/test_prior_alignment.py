"""What the distribution alignment loss of DFA does on its own, on the points of its paper's synthetic experiment."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
import torch

from isthmus.functional.prior import decoding_distance

SCRIPT = runpy.run_path(str(Path(__file__).parents[2] / "benchmarks" / "dfa_synthetic.py"))
DATA, Measured = SCRIPT["DATA"], SCRIPT["Measured"]


@pytest.mark.parametrize("name", DATA)
def test_the_loss_alone_moves_the_targets_mean_onto_the_sources(name: str) -> None:
    """And shrinks the cloud: see below. Distances are in standard deviations of the source."""
    source, target = DATA[name](0)
    scale = source.var(dim=0).sum().sqrt().item()
    before, after = (
        Measured.of(
            SCRIPT["train"](source, target, pairs="fresh", last="relu", steps=steps, lr=0.01, seed=0)(target), source
        )
        for steps in (0, 100)
    )
    assert before.means > 0.5 * scale
    assert after.means < 0.15 * scale
    assert after.spread < 0.25


@pytest.mark.parametrize("name", DATA)
def test_over_all_pairs_the_median_has_the_least_loss(name: str) -> None:
    """So a network trained on fresh pairs ends there: not at the source itself, which would be alignment."""
    source, target = (points[:100].double() for points in DATA[name](0))

    def over_all_pairs(points: torch.Tensor) -> float:
        losses = [decoding_distance(points, source.roll(shift, dims=0)) for shift in range(len(source))]
        return torch.stack(losses).mean().item()

    median = over_all_pairs(source.quantile(0.5, dim=0).expand_as(source))
    assert median < min(over_all_pairs(source), over_all_pairs(target))
    random = torch.Generator().manual_seed(0)
    for _ in range(20):
        shift = 0.3 * torch.randn(2, generator=random, dtype=torch.float64)
        assert median < over_all_pairs((source.quantile(0.5, dim=0) + shift).expand_as(source))


def test_energy_distance_of_the_script() -> None:
    """0 for the same points; twice the distance between two single points."""
    points = DATA["moons"](0)[0]
    assert Measured.of(points, points).energy == pytest.approx(0, abs=1e-9)
    here, there = torch.zeros(3, 2), torch.tensor([[3.0, 4.0]]).expand(3, 2)
    measured = Measured.of(there, here)
    assert (measured.means, measured.energy) == pytest.approx((5, 10))
