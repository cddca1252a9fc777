"""The table of all metrics, where a problem has more of them than its headline's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isthmus.names import AVERAGE
from isthmus.report.results import Results, RunRecord, Statistic, by_method, statistic
from isthmus.report.tables import own_heads
from isthmus.report.units import unit_of

if TYPE_CHECKING:
    from rich.table import Table


def metric_names(results: Results) -> list[str]:
    """All metrics of a problem of pixel-wise tasks, and those of a joint problem beside the headline's, in order."""
    names = dict.fromkeys(name for run in results["runs"] for name in run["heads"])
    if results["problem"]["setting"] == "joint":
        return [name for name in names if name not in {AVERAGE, *own_heads(results)}]
    return list(names) if results["problem"]["setting"] == "assisted" else []


def metric_rows(results: Results) -> list[tuple[str, list[str]]]:
    """Each method with its metrics after the last epoch, over seeds, in the unit of its heading.

    A method that does not learn a task has no metrics of it.
    """
    names = metric_names(results)
    return [
        (method, [unit_of(results, name).told(_last(runs, name)) for name in names])
        for method, runs in by_method(results["runs"]).items()
    ]


def _last(runs: list[RunRecord], metric: str) -> Statistic:
    return statistic(run["heads"][metric]["last"] for run in runs if metric in run["heads"])


def heading(results: Results, metric: str) -> str:
    """A metric's name with its unit."""
    return f"{metric} {unit_of(results, metric).mark}".rstrip()


def metric_table(results: Results) -> Table:
    """The first main task's metrics, or those that are a joint problem's averages; for results with an exam."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    names = metric_names(results)
    task = names[0].split()[0]
    shown = [place for place, name in enumerate(names) if name.split()[0] == task]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=f"{task}, last epoch")
    table.add_column("method", overflow="fold")
    for place in shown:
        table.add_column(heading(results, names[place]).removeprefix(f"{task} "), justify="right")
    for method, values in metric_rows(results):
        table.add_row(Text(method), *(values[place] for place in shown))
    return table
