"""Label-free scores: what may pick an epoch where nobody knows the target's labels. Higher is better for all."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from isthmus.functional.information import entropy, mutual_information
from isthmus.names import Predicted, unknown

SCORES: dict[str, Callable[[Tensor], Tensor]] = {
    "information_maximisation": mutual_information,
    "entropy": lambda logits: -entropy(logits),
}
"""Of classifiers, from logits (samples, classes) of the unlabelled target training samples. Mutual information prefers
balanced predictions, and misleads where the target's classes are very unbalanced; the negated entropy is perfect for a
model that predicts one class for everything."""

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
