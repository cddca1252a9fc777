"""Label-free scores: what each needs, what it computes, and that higher is better for all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from isthmus.functional.information import entropy, mutual_information
from isthmus.names import Predicted, unknown


@dataclass(frozen=True)
class Score:
    """A judgement of predictions on unlabelled target samples; higher is better.

    Attributes:
        name: what options and tables call it.
        needs: the data it is computed from.
        compute: from the target's logits, (samples, classes).
        pitfall: when not to trust it.
    """

    name: str
    needs: str
    compute: Callable[[Tensor], Tensor]
    pitfall: str


SCORES = {
    score.name: score
    for score in (
        Score(
            "information_maximisation",
            "logits of the unlabelled target training samples",
            mutual_information,
            "prefers balanced predictions: misleading where the target's classes are very unbalanced",
        ),
        Score(
            "entropy",
            "logits of the unlabelled target training samples",
            lambda logits: -entropy(logits),
            "perfect for a model that predicts one class for everything",
        ),
    )
}


MAIN_ON_SOURCE = "main_on_source"
"""Of pixel-wise tasks: the negated mean loss of the main tasks on the source's training samples."""

ON_TRAINING = "on_training"
"""Of images that are completed or generated: the negated headline metric, measured on training samples."""


def score_for(predicted: Predicted, name: str | None) -> str:
    """The name of the label-free score that picks an epoch; by default the usual one of what is predicted.

    Args:
        predicted: what the problem's models predict.
        name: as asked for.

    Raises:
        OptionError: unknown.
    """
    known = {"classes": tuple(SCORES), "pixels": (MAIN_ON_SOURCE,), "images": (ON_TRAINING,)}[predicted]
    if name is not None and name not in known:
        raise unknown("score", name, known, f"Known: {', '.join(known)}.")
    return name or known[0]
