"""Which domains share which layers: the social network that joint learning found, drawn."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

from isthmus.report.figures import COLOURS, EDGE, GREY, INK, RULE, WIDTH, charts, short, svg
from isthmus.report.results import EpochRow
from isthmus.report.units import Unit

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

BLOCKS, WEIGHTINGS = 6, 9
"""Most blocks of layers and most weightings that are drawn; of more, some from the first to the last."""
NAMED = 6
"""Most domains whose links have their weights written beside them."""
FAINT = 0.01
"""Mean weight below which nothing is shared."""


@dataclass(frozen=True)
class Sharing:
    """What joint learning found, in the arrays that it kept.

    Attributes:
        domains: their names.
        layers: names of the layers.
        blocks: which layers each block is made of, (blocks, layers).
        weightings: before the first weighting and after each, (weightings + 1, blocks, domains, domains).
        weighted_at: the number of finished epochs at each weighting.
        consistency: before each epoch and after the last.
    """

    domains: Sequence[str]
    layers: Sequence[str]
    blocks: NDArray[Any]
    weightings: NDArray[Any]
    weighted_at: NDArray[Any]
    consistency: NDArray[Any]

    @classmethod
    def read(cls, findings: Mapping[str, NDArray[Any]], domains: Sequence[str]) -> Sharing | None:
        """From a run's findings; None where they are another method's, or no weights were ever set."""
        names = ("layers", "blocks", "weightings", "weighted_at", "consistency")
        if not set(names) <= set(findings) or not len(findings["weighted_at"]):
            return None
        layers, *arrays = (findings[name] for name in names)
        return cls(domains, [str(name) for name in layers], *arrays)

    def title(self, block: int) -> str:
        """The numbers of a block's layers, from 1."""
        numbers = [str(int(layer) + 1) for layer in self.blocks[block].nonzero()[0]]
        return f"layer{'s' if len(numbers) > 1 else ''} {' and '.join(numbers)}"

    def summary(self) -> str:
        """How often weights were set, when, and what is left of them."""
        count, first, last = len(self.weighted_at), int(self.weighted_at[0]), int(self.weighted_at[-1])
        when = f"once, after epoch {first}" if count == 1 else f"{count} times, after epochs {first} to {last}"
        pairs = self.weightings[-1][self.weightings[0] > 0]  # those that have a block in common
        left = f"Their mean is now {pairs.mean():.2f}, the largest {pairs.max():.2f}."
        if pairs.mean() < FAINT:
            left += " The networks have let go of each other: each is trained as if alone."
        return f"Weights were set {when}. {left}"


def links(weights: NDArray[Any], nearest: int) -> list[tuple[int, int]]:
    """Pairs of domains of which each is among the other's `nearest` by weight: the paper's figure 2.

    Args:
        weights: of one block, (domains, domains); zero for a pair that does not have it in common.
        nearest: how many neighbours count.
    """
    import numpy as np

    close = np.zeros(weights.shape, dtype=bool)
    for place, row in enumerate(weights):
        others = np.delete(np.arange(len(row)), place)
        close[place, others[np.argsort(-row[others], kind="stable")[:nearest]]] = True
    return [(i, j) for i, j in zip(*np.nonzero(np.triu(close & close.T & (weights > 0))))]


def neighbours(domains: int) -> int:
    """How many nearest count: the paper's 3 of 8, fewer of fewer."""
    return max(1, min(3, (domains - 1) // 2))


def network_plot(sharing: Sharing) -> str:
    """A graph of the domains for each block, links as thick as weights; pale where not both are near each other."""
    from matplotlib.figure import Figure

    shown = _some(len(sharing.blocks), BLOCKS)
    columns = min(3, len(shown))
    rows = math.ceil(len(shown) / columns)
    figure = Figure(figsize=(WIDTH, 3.3 * rows), layout="constrained")
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axes, block in zip(panels, shown):
        _graph(axes, sharing.weightings[-1][block], sharing.domains)
        axes.set_title(sharing.title(block), fontsize=10, fontweight="bold", color=INK)
    for axes in panels:
        axes.set_axis_off()
    return svg(figure)


def weights_plot(sharing: Sharing) -> str:
    """The weights of every pair: a column for each weighting, the first before any, a row for each block."""
    from matplotlib.figure import Figure

    blocks, weightings = _some(len(sharing.blocks), BLOCKS), _some(len(sharing.weightings), WEIGHTINGS)
    side = 1.15
    figure = Figure(figsize=(WIDTH, 0.7 + side * len(blocks)), layout="constrained")
    panels = figure.subplots(len(blocks), WEIGHTINGS, squeeze=False)
    image = None
    for row, block in zip(panels, blocks):
        for axes, weighting in zip(row, weightings):
            weights = sharing.weightings[weighting][block].copy()
            weights[_diagonal(len(weights))] = math.nan
            image = axes.imshow(weights, cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set_color(RULE)
        row[0].set_ylabel(sharing.title(block).replace(" and ", "+"), fontsize=8, color=INK)
        for axes in row[len(weightings) :]:
            axes.set_axis_off()
    for axes, weighting in zip(panels[0], weightings):
        title = "start" if weighting == 0 else f"epoch {int(sharing.weighted_at[weighting - 1])}"
        axes.set_title(title, fontsize=8, color=INK)
    names = range(len(sharing.domains)), [short(name) for name in sharing.domains]
    panels[0][0].set_yticks(*names, fontsize=6)
    panels[-1][0].set_xticks(*names, fontsize=6, rotation=90)
    panels[0][0].tick_params(length=0)
    panels[-1][0].tick_params(length=0)
    if image is not None:
        bar = figure.colorbar(image, ax=panels[:, -1], label="weight", shrink=0.8, aspect=12)
        bar.outline.set_visible(False)
    return svg(figure)


def course_plot(sharing: Sharing, history: Sequence[EpochRow], metric: str, unit: Unit) -> str:
    """The score and the consistency term by epoch, with a mark at every weighting: the paper's figure 3."""
    figure, (above, below) = charts(2, 1, height=2.2, sharex=True)
    scores = [(row["epoch"], unit.times * next(iter(row["metrics"].values()))) for row in history if row["metrics"]]
    above.plot(*zip(*scores) if scores else ([], []), color=COLOURS[0], linewidth=1.8)
    above.set_ylabel(f"{metric}{unit.phrase}", color=INK)
    first = int(sharing.weighted_at[0])  # from which on another norm is summed up: no line leads from one to the other
    epochs = range(len(sharing.consistency))
    for part, colour, norm in ((slice(first), GREY, "squared norm"), (slice(first, None), COLOURS[1], "robust norm")):
        below.plot(epochs[part], sharing.consistency[part], color=colour, linewidth=1.8, label=norm)
    below.legend(frameon=False, fontsize=8, labelcolor=INK)
    below.set_ylabel("consistency term", color=INK)
    below.set_ylim(bottom=0)
    below.set_xlabel("epoch")
    for axes in (above, below):
        for epoch in sharing.weighted_at.tolist():
            axes.axvline(epoch, color=GREY, linewidth=0.8, linestyle=":", zorder=0)
    return svg(figure)


def _graph(axes: Axes, weights: NDArray[Any], domains: Sequence[str]) -> None:
    count = len(domains)
    # From the top, clockwise; the same places in every graph.
    angles = [math.pi / 2 - 2 * math.pi * place / count for place in range(count)]
    points = [(math.cos(angle), math.sin(angle)) for angle in angles]
    linked = links(weights, neighbours(count))
    for i, j in combinations(range(count), 2):
        weight, (x, y), (u, v) = float(weights[i, j]), points[i], points[j]
        if (i, j) not in linked:
            axes.plot([x, u], [y, v], color=EDGE, linewidth=6 * weight, zorder=1)
            continue
        axes.plot([x, u], [y, v], color=COLOURS[0], linewidth=1 + 6 * weight, zorder=2)
        if count <= NAMED:
            look = {"boxstyle": "round,pad=0.15", "facecolor": "white", "edgecolor": "none"}
            middle = (x + u) / 2, (y + v) / 2
            axes.text(*middle, f"{weight:.2f}", fontsize=8, color=INK, ha="center", va="center", bbox=look, zorder=3)
    across, up = zip(*points)
    axes.scatter(across, up, s=90, color="white", edgecolors=INK, linewidths=1.6, zorder=4)
    for (x, y), name in zip(points, domains):
        level = "bottom" if y > 0.5 else "top" if y < -0.5 else "center"
        side = "left" if x > 0.3 else "right" if x < -0.3 else "center"
        axes.text(1.16 * x, 1.16 * y, short(name), fontsize=9, color=INK, ha=side, va=level)
    axes.set(xlim=(-1.9, 1.9), ylim=(-1.4, 1.4), aspect="equal")


def _some(count: int, most: int) -> list[int]:
    """Up to `most` of the numbers below `count`, the first and the last among them."""
    if count <= most:
        return list(range(count))
    return [round(step * (count - 1) / (most - 1)) for step in range(most)]


def _diagonal(size: int) -> NDArray[Any]:
    import numpy as np

    return np.eye(size, dtype=bool)
