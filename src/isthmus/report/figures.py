"""The report's charts, each as the text of an SVG. Drawn with matplotlib's objects: no global state is touched."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from isthmus.report.results import EpochRow, Results, statistic
from isthmus.report.tables import ORACLE_HEADING
from isthmus.report.units import Unit, unit_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, told apart with every common colour blindness; their yellow is too pale for lines on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
DASHES = ("-", "--", ":")
INK, GREY, EDGE, RULE = "#1f2933", "#7b8794", "#cbd2d9", "#e4e7eb"
SPAN = 10.0
"""Least range of the score plot, in points."""
WIDTH = 10.6

Histories = dict[str, list[list[EpochRow]]]
"""The histories of each method's seeds."""


@dataclass(frozen=True)
class Style:
    """How a method is drawn in every figure."""

    colour: str
    dash: str


def method_styles(methods: Iterable[str], baseline: str) -> dict[str, Style]:
    """A style per method: the baseline in ink, the others in colours and then in dashes."""
    others = [method for method in methods if method != baseline]
    styles = {
        method: Style(COLOURS[i % len(COLOURS)], DASHES[i // len(COLOURS) % len(DASHES)])
        for i, method in enumerate(others)
    }
    return {baseline: Style(INK, "-"), **styles}


def score_plot(results: Results, styles: dict[str, Style]) -> str:
    """Last, selected and oracle scores with standard errors, a line per method; for results with an exam."""
    rows, unit = results["summary"], unit_of(results)
    figure, (axes,) = charts(1, 1, height=0.9 + 0.42 * len(rows))
    for y, row in enumerate(rows):
        colour = styles[row["method"]].colour
        looks: tuple[tuple[float, Any, dict[str, Any]], ...] = (
            (0.0, row["last"], {"marker": "o", "markersize": 9, "color": colour, "zorder": 3}),
            (0.22, row["selected"], {"marker": "D", "markersize": 5, "color": colour, "alpha": 0.75}),
            (-0.22, row["oracle"], {"marker": "o", "markersize": 5, "color": GREY, "markerfacecolor": "white"}),
        )
        for offset, value, look in looks:
            if value["mean"] is not None:
                error = None if value["stderr"] is None else unit.times * value["stderr"]
                axes.errorbar(unit.times * value["mean"], y + offset, xerr=error, linestyle="none", capsize=3, **look)
    axes.set_yticks(range(len(rows)), [short(row["method"]) for row in rows])
    axes.set_ylim(len(rows) - 0.5, -0.5)
    low, high = axes.get_xlim()
    if unit.mark and high - low < SPAN:  # so that two points of difference do not look like twenty
        axes.set_xlim((low + high - SPAN) / 2, (low + high + SPAN) / 2)
    axes.grid(False)
    axes.grid(axis="x", color=RULE)
    axes.set_xlabel(f"{results['runs'][0]['metric']}{unit.phrase}")
    _legend_of_scores(axes)
    return svg(figure)


def learning_curves(histories: Histories, metric: str, unit: Unit, styles: dict[str, Style]) -> str | None:
    """The exam's metric and each label-free score by epoch: mean and standard error over seeds; None without any."""

    def on_exam(row: EpochRow) -> float | None:
        value = next(iter(row["metrics"].values()), None)
        return None if value is None else unit.times * value

    rows = [row for seeds in histories.values() for history in seeds for row in history]
    panels: dict[str, Callable[[EpochRow], float | None]] = {}
    if any(row["metrics"] for row in rows):
        panels[f"{metric}{unit.phrase} on the exam"] = on_exam
    for name in dict.fromkeys(name for row in rows for name in row["scores"]):
        panels[f"{_spaced(name)} (label-free)"] = lambda row, name=name: row["scores"].get(name)  # type: ignore[misc]
    if not panels:
        return None
    figure, panel_axes = charts(1, len(panels), height=3.5)
    for axes, (title, pick) in zip(panel_axes, panels.items()):
        for method, seeds in histories.items():
            style = styles[method]
            _curve(axes, seeds, pick, color=style.colour, linestyle=style.dash, label=short(method))
        axes.set_title(title, loc="left", fontsize=10, fontweight="bold", color=INK)
        axes.set_xlabel("epoch")
    handles, labels = panel_axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 4), frameon=False)
    return svg(figure)


def loss_curves(histories: Histories) -> str:
    """Each method's training losses by epoch, a panel per method: mean and standard error over seeds."""
    columns = min(3, len(histories))
    figure, panel_axes = charts(math.ceil(len(histories) / columns), columns, height=2.7)
    for axes, (method, seeds) in zip(panel_axes, histories.items()):
        names = dict.fromkeys(name for history in seeds for row in history for name in row["losses"])
        for i, name in enumerate(names):
            look = {"color": COLOURS[i % len(COLOURS)], "linestyle": DASHES[i // len(COLOURS) % len(DASHES)]}
            _curve(axes, seeds, lambda row, name=name: row["losses"].get(name), label=_spaced(name), **look)  # type: ignore[misc]
        axes.set_title(short(method), loc="left", fontsize=10, fontweight="bold", color=INK)
        axes.set_xlabel("epoch")
        if names:
            axes.legend(frameon=False, fontsize=8)
    for axes in panel_axes[len(histories) :]:
        axes.set_axis_off()
    return svg(figure)


def _curve(axes: Axes, seeds: Sequence[list[EpochRow]], pick: Callable[[EpochRow], float | None], **look: Any) -> None:
    values: dict[int, list[float]] = {}
    for row in (row for history in seeds for row in history):
        value = pick(row)
        if value is not None:
            values.setdefault(row["epoch"], []).append(value)
    epochs = sorted(values)
    means = [math.fsum(values[epoch]) / len(values[epoch]) for epoch in epochs]
    errors = [statistic(values[epoch])["stderr"] or 0.0 for epoch in epochs]
    axes.plot(epochs, means, linewidth=1.8, marker="o" if len(epochs) == 1 else None, **look)
    low, high = [m - e for m, e in zip(means, errors)], [m + e for m, e in zip(means, errors)]
    axes.fill_between(epochs, low, high, color=look["color"], alpha=0.13, linewidth=0)


def _legend_of_scores(axes: Axes) -> None:
    from matplotlib.lines import Line2D

    axes.legend(
        handles=[
            Line2D([], [], linestyle="none", marker="o", markersize=9, color=INK, label="last"),
            Line2D([], [], linestyle="none", marker="D", markersize=5, color=INK, alpha=0.75, label="selected"),
            Line2D([], [], linestyle="none", marker="o", markersize=5, color=GREY, mfc="white", label=ORACLE_HEADING),
        ],
        loc="lower center",
        bbox_to_anchor=(0.5, 1.0),
        ncols=3,
        frameon=False,
    )


def charts(rows: int, columns: int, *, height: float, sharex: bool = False) -> tuple[Figure, list[Axes]]:
    """A figure of the page's width and its axes row by row; `height` in inches, of one row."""
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(WIDTH, rows * height), layout="constrained")
    panels = list(figure.subplots(rows, columns, squeeze=False, sharex=sharex).flat)
    for axes in panels:
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(EDGE)
        axes.tick_params(colors=INK, length=0)
        axes.grid(axis="y", color=RULE)
        axes.set_axisbelow(True)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8, steps=[1, 2, 5, 10]))
        axes.xaxis.label.set_color(INK)
    return figure, panels


def svg(figure: Figure) -> str:
    """The figure as an `<svg>` element."""
    import io
    import warnings

    from matplotlib import rc_context

    text = io.StringIO()
    # Without a date and with fixed identifiers: the same results give the same file.
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    # Text stays text, for the reader's fonts know more letters than the one that matplotlib measures it by.
    with rc_context({"svg.hashsalt": "isthmus", "svg.fonttype": "none"}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")
        figure.savefig(text, format="svg", metadata=nothing, dpi=180)
    return text.getvalue()[text.getvalue().index("<svg") :]


def plain(name: str) -> str:
    """A name as text: a dollar sign would open matplotlib's mathematics."""
    return name.replace("$", r"\$")


def short(name: str, limit: int = 38) -> str:
    """A name as text, its middle left out where it is long: methods often differ at the end.

    >>> short("mtl_both+feature_adversary:lr=0.1,depths=out", 20)
    'mtl_both+f…epths=out'
    """
    half = (limit - 1) // 2
    return plain(name if len(name) <= limit else f"{name[: limit - 1 - half]}…{name[-half:]}")


def _spaced(name: str) -> str:
    return plain(name.replace("_", " "))
