"""Which class of the target is close to which of the source: the cost matrix of a method, drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from isthmus.report.figures import WIDTH, short, svg

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAMED = 60
"""Source classes up to which each column has its name."""
CHARACTERS = 30
"""Of a class's name that are shown."""


def cost_plot(costs: NDArray[Any], source: Sequence[str], target: Sequence[str]) -> str:
    """A cell for every pair of classes, dark where they are close.

    Source classes stand in the order of the target class that they are closest to, so that what belongs together
    forms blocks.

    Args:
        costs: (source classes, target classes).
        source: names of the source's classes.
        target: names of the target's classes.
    """
    import numpy as np
    from matplotlib.figure import Figure

    order = np.lexsort((costs.min(axis=1), costs.argmin(axis=1)))
    figure = Figure(figsize=(WIDTH, 1.9 + 0.19 * len(target)), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(costs[order].T, cmap="Blues_r", aspect="auto", interpolation="nearest")
    axes.set_yticks(range(len(target)), [short(name, CHARACTERS) for name in target], fontsize=8)
    if len(source) <= NAMED:
        axes.set_xticks(range(len(source)), [short(source[i], CHARACTERS) for i in order], rotation=90, fontsize=7)
    else:
        axes.set_xticks([])
    axes.set_xlabel("source classes")
    axes.set_ylabel("target classes")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    figure.colorbar(image, ax=axes, label="cost", shrink=0.8).outline.set_visible(False)
    return svg(figure)


def nearest(
    costs: NDArray[Any], source: Sequence[str], target: Sequence[str], count: int = 3
) -> list[tuple[str, list[tuple[str, float]]]]:
    """For each target class the source classes of least cost, with their costs."""
    rows = []
    for place, name in enumerate(target):
        order = costs[:, place].argsort(kind="stable")[:count]
        rows.append((name, [(source[i], float(costs[i, place])) for i in order.tolist()]))
    return rows
