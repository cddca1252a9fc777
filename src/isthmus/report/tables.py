"""The headline table: for the terminal, for files and as rows for other pages."""

from __future__ import annotations

import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import fill
from typing import TYPE_CHECKING

from isthmus.report.results import Results, RunRecord, Scores, Statistic, by_method, matched, statistic
from isthmus.report.units import Unit, unit_of

if TYPE_CHECKING:
    from rich.table import Table

BASELINES = {
    "unsupervised": "source_only",
    "inductive": "finetune_target",
    "joint": "isolated",
    "assisted": "baseline",
}
"""What every method of a setting must beat."""
BOUNDS = ("oracle",)
"""Methods that train on what is measured: no method's result, but a bound on them."""
ORACLE_HEADING = "oracle (uses exam labels)"


@dataclass(frozen=True)
class ScoreRow:
    """A line of the table: a method, or another head of the method above, or in the joint setting one of its domains.

    Attributes:
        label: the method, or the name of the head or domain.
        is_head: whether it is a head's or domain's line, without gain, seeds and seconds.
        last, selected, oracle: scores over seeds.
        gain: of the last epoch over the baseline, see `gain`; None of the baseline itself and without one.
        label_free: the score that models were selected by.
        seeds: number of runs.
        seconds: mean duration of a run.
    """

    label: str
    is_head: bool
    last: Statistic
    selected: Statistic
    oracle: Statistic
    gain: float | None
    label_free: Statistic
    seeds: int
    seconds: float


def baseline_of(results: Results) -> str:
    """The name of what every method of the results' setting must beat."""
    return BASELINES[results["problem"]["setting"]]


def is_bound(method: str) -> bool:
    """Whether a method, with any options and terms, is there to be compared with and not to win.

    >>> is_bound("oracle:anchor_weight=1"), is_bound("headfreeze")
    (True, False)
    """
    return re.split("[:+]", method)[0] in BOUNDS


HEADING_WIDTH = 10
"""Headings of the terminal's table break where they are longer than this and than the numbers below them."""


def score_rows(results: Results) -> list[ScoreRow]:
    """The lines of the table; in order of the label-free score where there is no exam, else in order of running."""
    baseline, shown = baseline_of(results), own_heads(results)
    blocks = [
        _block(method, runs, None if method == baseline else gain(results, method, baseline), shown)
        for method, runs in by_method(results["runs"]).items()
    ]
    if results["problem"]["exam"] is None:
        blocks = [block[:1] for block in sorted(blocks, key=_label_free, reverse=True)]
    return [row for block in blocks for row in block]


def gain(results: Results, method: str, rival: str) -> float | None:
    """How much better a method's last epoch is than a rival's, over the seeds that both have.

    Returns:
        Points or the score's unit, positive for better; None without an exam, or a seed that both have.
    """
    groups, sign = by_method(results["runs"]), 1 if results["runs"][0]["higher_is_better"] else -1
    own, other = (score["mean"] for score in matched(groups[method], groups.get(rival, [])))
    return None if own is None or other is None else sign * unit_of(results).times * (own - other)


def own_heads(results: Results) -> set[str]:
    """The heads or domains with lines of their own: those whose scores are the headline metric's."""
    problem = results["problem"]
    if problem["setting"] == "assisted":
        return set()
    if problem["setting"] == "joint":
        return {domain["name"] for domain in problem["domains"]}
    return {head for run in results["runs"] for head in run["heads"]}


def ranking_score(results: Results) -> str:
    """The label-free score that models were selected by."""
    return results["runs"][0]["selected_by"]


def metric_title(results: Results) -> str:
    """The headline's metric, as a sentence begins."""
    name = results["runs"][0]["metric"]
    return name[0].upper() + name[1:]


def plain(value: Statistic) -> str:
    """Mean and standard error as they are, with three decimals or, of small numbers, three digits.

    >>> plain({"mean": 1.93, "stderr": None}), plain({"mean": 1.6e-4, "stderr": 0.0})
    ('1.930', '0.00016 ± 0.000')
    """
    numbers = [number for number in (value["mean"], value["stderr"]) if number is not None]
    return " ± ".join(f"{n:.3g}" if 0 < abs(n) < 0.1 else f"{n:.3f}" for n in numbers) or "–"


def headings(results: Results) -> list[str]:
    """The table's columns, the method's first."""
    if results["problem"]["exam"] is None:
        return ["method", ranking_score(results), "seeds", "seconds per run"]
    gain = ["gain"] if _has_gain(results) else []
    return ["method", "last", *gain, "selected", ORACLE_HEADING, "seeds", "seconds per run"]


def cells(results: Results, row: ScoreRow) -> list[str]:
    """The texts of a line, one per heading."""
    label = row.label
    if row.is_head:
        label = f"· {label}" if results["problem"]["setting"] == "joint" else f"· {label} head"
    tail = (
        ["", ""]
        if row.is_head
        else [str(row.seeds), f"{row.seconds:.0f}" if row.seconds >= 10 else f"{row.seconds:.1f}"]
    )
    if results["problem"]["exam"] is None:
        return [label, plain(row.label_free), *tail]
    unit = unit_of(results)
    gain = [_told_gain(row, unit, baseline_of(results))] if _has_gain(results) else []
    last, selected, oracle = map(unit.told, (row.last, row.selected, row.oracle))
    return [label, last, *gain, selected, oracle, *tail]


def caption(results: Results) -> str:
    """What the numbers are."""
    exam = results["problem"]["exam"]
    spread = "mean ± standard error over seeds"
    if exam is None:
        score = ranking_score(results)
        return (
            f"{metric_title(results)} is unknown: there is no exam. "
            f"Ranked by {score}, a label-free score, higher is better; {spread}."
        )
    unit = unit_of(results)
    better = "" if results["runs"][0]["higher_is_better"] else ", lower is better"
    seen = "; its samples were also trained on, without their labels" if exam["transductive"] else ""
    gain = ""
    if _has_gain(results):
        seeds = {frozenset(run["seed"] for run in runs) for runs in by_method(results["runs"]).values()}
        common = ", on the seeds that both have" if len(seeds) > 1 else ""
        gain = f" Gain: {unit.difference or 'difference'} of the last epoch over {baseline_of(results)}{common}."
    place = f"{exam['name']} ({exam['samples']:,} samples{seen})"
    score = f"{metric_title(results)}{unit.phrase}{better}"
    return f"{score}, on {place}; {spread}. Selected by {ranking_score(results)}.{gain}"


def summary_table(results: Results) -> Table:
    """The table for the terminal."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    lines = [(row, cells(results, row)) for row in score_rows(results)]
    styles = {"last": "bold", ORACLE_HEADING: "dim"}
    table = Table(
        title=Text(results["problem"]["name"], style="bold"),
        caption=Text(caption(results), style="dim"),
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        collapse_padding=True,
        pad_edge=False,
    )
    first, *numbers = headings(results)
    table.add_column(first, overflow="fold")  # on a narrow terminal names fold, numbers do not
    for i, name in enumerate(numbers, start=1):
        style = styles.get(name, "")
        width = max(HEADING_WIDTH, *(len(texts[i]) for _, texts in lines))
        heading = fill(name, width, break_long_words=False)
        table.add_column(heading, justify="right", style=style, header_style=style, no_wrap=True)
    for row, (label, *texts) in lines:
        # As Text, for a name in brackets is no markup.
        table.add_row(Text(f"  {label}" if row.is_head else label), *texts, style="dim" if row.is_head else None)
    return table


def markdown_table(results: Results) -> str:
    """The table for files, with its caption."""
    lines = []
    for row in score_rows(results):
        label, last, *rest = cells(results, row)
        lines.append([f"&nbsp;&nbsp;{label}", last, *rest] if row.is_head else [label, f"**{last}**", *rest])
    return markdown(headings(results), lines, caption(results))


def markdown(headings: Sequence[str], lines: Sequence[Sequence[str]], caption: str) -> str:
    """A table of a Markdown file: names in the first column, numbers in the others."""
    rows = [headings, ["---", *("---:" for _ in headings[1:])], *lines]
    texts = (" | ".join(text.replace("|", "\\|") for text in row) for row in rows)
    return "\n".join(f"| {text} |" for text in texts) + f"\n\n{caption}\n"


def _block(method: str, runs: list[RunRecord], gain: float | None, shown: set[str]) -> list[ScoreRow]:
    seconds = statistics.fmean(run["seconds"] for run in runs)
    label_free = statistic(_selection_score(run) for run in runs)
    last, selected, oracle = _statistics([run["scores"] for run in runs])
    rows = [ScoreRow(method, False, last, selected, oracle, gain, label_free, len(runs), seconds)]
    # The first head gives the method's own scores.
    for head in [head for head in list(runs[0]["heads"])[1:] if head in shown]:
        scores = _statistics([run["heads"][head] for run in runs])
        rows.append(ScoreRow(head, True, *scores, None, label_free, len(runs), seconds))
    return rows


def _statistics(scores: list[Scores]) -> tuple[Statistic, Statistic, Statistic]:
    return (
        statistic(score["last"] for score in scores),
        statistic(score["selected"] for score in scores),
        statistic(score["oracle"] for score in scores),
    )


def _told_gain(row: ScoreRow, unit: Unit, baseline: str) -> str:
    if row.is_head or row.label == baseline:
        return ""
    return "–" if row.gain is None else f"{row.gain:+.{unit.decimals(row.last)}f}"


def _has_gain(results: Results) -> bool:
    methods = {run["method"] for run in results["runs"]}
    return baseline_of(results) in methods and len(methods) > 1


def _label_free(block: list[ScoreRow]) -> float:
    mean = block[0].label_free["mean"]
    return float("-inf") if mean is None else mean


def _selection_score(run: RunRecord) -> float | None:
    return next((entry["value"] for entry in run["diagnostics"] if entry["name"] == run["selected_by"]), None)
