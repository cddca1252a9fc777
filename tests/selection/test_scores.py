"""Label-free scores against values computed by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from isthmus.errors import OptionError
from isthmus.selection.scores import SCORES, score_for


def logits(*probabilities: tuple[float, ...]) -> Tensor:
    """Logits of given distributions, each moved by a constant, which must not matter."""
    rows = torch.tensor(probabilities, dtype=torch.float64).clamp_min(1e-300).log()
    return rows + torch.arange(len(rows), dtype=torch.float64)[:, None]


def by_hand(probabilities: tuple[tuple[float, ...], ...]) -> tuple[float, float]:
    """Mutual information and mean entropy, in plain Python."""

    def entropy(p: list[float]) -> float:
        return -sum(q * math.log(q) for q in p if q > 0)

    mean_entropy = sum(entropy(list(p)) for p in probabilities) / len(probabilities)
    marginal = [sum(column) / len(probabilities) for column in zip(*probabilities)]
    return entropy(marginal) - mean_entropy, mean_entropy


@pytest.mark.parametrize(
    "probabilities",
    [
        ((1.0, 0.0), (0.0, 1.0)),
        ((0.5, 0.5), (0.5, 0.5)),
        ((1.0, 0.0), (1.0, 0.0)),
        ((0.25, 0.75), (0.75, 0.25), (0.9, 0.1)),
        ((0.2, 0.3, 0.5), (0.6, 0.1, 0.3)),
    ],
)
def test_scores_are_those_computed_by_hand(probabilities: tuple[tuple[float, ...], ...]) -> None:
    information, entropy = by_hand(probabilities)
    given = logits(*probabilities)
    assert SCORES["information_maximisation"](given).item() == pytest.approx(information, abs=1e-9)
    assert SCORES["entropy"](given).item() == pytest.approx(-entropy, abs=1e-9)


def test_known_values() -> None:
    confident, collapsed = logits((1.0, 0.0), (0.0, 1.0)), logits((1.0, 0.0), (1.0, 0.0))
    information, entropy = (SCORES[name] for name in ("information_maximisation", "entropy"))
    assert information(confident).item() == pytest.approx(math.log(2))
    assert information(collapsed).item() == pytest.approx(0)
    assert entropy(confident).item() == pytest.approx(0)
    assert entropy(collapsed).item() == pytest.approx(0)  # as its description says
    assert entropy(logits((0.5, 0.5))).item() == pytest.approx(-math.log(2))


def test_a_score_does_not_depend_on_the_order_of_the_samples() -> None:
    given = torch.randn(20, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    for score in SCORES.values():
        torch.testing.assert_close(score(given), score(given.flip(0)))


def test_an_unknown_score_is_refused_with_the_nearest() -> None:
    with pytest.raises(OptionError, match=r"Unknown score `entropie`; did you mean `entropy`\? Known: information"):
        score_for("classes", "entropie")
