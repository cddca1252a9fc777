"""Who shares what: links between domains, words and figures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from isthmus.report.sharing import Sharing, course_plot, links, neighbours, network_plot, weights_plot
from isthmus.report.units import Unit

NAMES = ("a", "b$", "c", "d")


def findings(domains: int = 4, blocks: int = 2, weightings: int = 3) -> dict[str, np.ndarray[Any, Any]]:
    random = np.random.default_rng(0)
    weights = random.uniform(size=(weightings + 1, blocks, domains, domains))
    weights = (weights + weights.transpose(0, 1, 3, 2)) / 2 * (1 - np.eye(domains))
    return {
        "layers": np.array([f"layer{number}" for number in range(blocks + 1)]),
        "blocks": np.eye(blocks, blocks + 1) + np.eye(blocks, blocks + 1, 1),
        "weightings": weights,
        "weighted_at": np.arange(weightings) + 5,
        "consistency": random.uniform(size=9),
    }


def sharing(**sizes: int) -> Sharing:
    found = Sharing.read(findings(**sizes), NAMES[: sizes.get("domains", 4)])
    assert found is not None
    return found


def test_links_are_mutual_neighbours() -> None:
    """Against the definition: j is among i's nearest if fewer than `nearest` others weigh more."""
    weights = findings(8)["weightings"][1][0]
    for nearest in (1, 3):
        close = [
            [i != j and sum(w > weights[i, j] for w in np.delete(weights[i], i)) < nearest for j in range(8)]
            for i in range(8)
        ]
        expected = [(i, j) for i in range(8) for j in range(i + 1, 8) if close[i][j] and close[j][i]]
        assert links(weights, nearest) == expected
    weights = np.zeros((8, 8))
    weights[2, 3] = weights[3, 2] = 0.5  # the only two that have the block
    assert links(weights, 3) == [(2, 3)]
    assert [neighbours(count) for count in (2, 4, 5, 7, 8, 20)] == [1, 1, 2, 3, 3, 3]


def test_the_summary_says_when_and_how_much() -> None:
    found = findings()
    found["weightings"][-1] = 0.25 * (1 - np.eye(4))
    text = Sharing.read(found, NAMES).summary()  # type: ignore[union-attr]
    assert text == "Weights were set 3 times, after epochs 5 to 7. Their mean is now 0.25, the largest 0.25."
    found["weightings"][-1] *= 0.01
    assert "have let go" in Sharing.read(found, NAMES).summary()  # type: ignore[union-attr]


def test_other_findings_are_none() -> None:
    assert Sharing.read({"category_costs": np.zeros((2, 2))}, NAMES) is None
    assert Sharing.read(findings(weightings=0), NAMES) is None


@pytest.mark.parametrize("sizes", [{}, {"blocks": 1, "domains": 2}, {"blocks": 30, "weightings": 40}])
def test_figures(sizes: dict[str, int]) -> None:
    found = sharing(**sizes)
    row: Any = {"epoch": 3, "losses": {}, "metrics": {"average": 0.5}, "scores": {}}
    course = course_plot(found, [row], "accuracy", Unit("%"))
    for text in (network_plot(found), weights_plot(found), course):
        assert text.startswith("<svg")
        assert text.rstrip().endswith("</svg>")
    assert network_plot(found) == network_plot(found)
