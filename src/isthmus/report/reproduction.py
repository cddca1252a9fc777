"""A table of a paper, measured beside published."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, cast

from isthmus.report.results import Statistic, read_json
from isthmus.report.tables import markdown
from isthmus.report.units import Unit

if TYPE_CHECKING:
    from rich.table import Table

REPRODUCTION = "reproduction.json"
"""Of an output folder, beside the comparisons in it."""
SCHEMA = 1
HEADINGS = ("published", "measured", "oracle", "seeds")


class Cell(TypedDict):
    """A row's figure in a column; all figures are in the unit of the paper.

    What was measured is None where it was not. `folder` is the comparison's, relative to that of the file.
    """

    column: str
    row: str
    method: str | None
    published: float | None
    spread: float | None
    last: Statistic | None
    selected: Statistic | None
    oracle: Statistic | None
    seeds: int
    folder: str | None


class Reproduction(TypedDict):
    """The content of `reproduction.json`; `changes` is what was asked for in place of the paper's recipes."""

    schema: int
    paper: str
    table: str
    source: str
    title: str
    published_seeds: int
    published_spread: str
    changes: dict[str, Any]
    cells: list[Cell]


def read_reproduction(folder: Path) -> Reproduction:
    """Read `reproduction.json`.

    Raises:
        RunFolderError: the file is missing or damaged.
    """
    return cast(Reproduction, read_json(folder / REPRODUCTION))


def reproduction_table(found: Reproduction) -> Table:
    """The table for the terminal: a part for each column of the paper's in which something was measured."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(
        title=Text(f"{_name(found)}: {found['title']}", style="bold"),
        caption=Text(_caption(found), style="dim"),
        caption_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
    )
    table.add_column("", overflow="fold")
    for heading in HEADINGS:
        table.add_column(heading, justify="right", no_wrap=True, style="dim" if heading == "oracle" else "")
    for column, lines in _parts(found).items():
        table.add_row(Text(column, style="bold"))
        for row, texts in lines.items():
            table.add_row(Text(f"  {row}"), *texts)
        table.add_section()
    return table


def reproduction_markdown(found: Reproduction) -> str:
    """The table for files, with its caption."""
    lines = []
    for column, rows in _parts(found).items():
        lines.append([f"**{column}**", *("" for _ in HEADINGS)])
        lines += [[row, *texts] for row, texts in rows.items()]
    return markdown([_name(found), *HEADINGS], lines, _caption(found))


def _name(found: Reproduction) -> str:
    return f"{found['paper']} {found['table']}"


def _parts(found: Reproduction) -> dict[str, dict[str, list[str]]]:
    """Of each column in which something was measured, what is told of each row under each heading."""
    measured = dict.fromkeys(cell["column"] for cell in found["cells"] if cell["last"] is not None)
    decimals = max(len(str(cell["published"]).partition(".")[2]) for cell in found["cells"])  # as finely as the paper
    return {
        column: {cell["row"]: _texts(cell, decimals) for cell in found["cells"] if cell["column"] == column}
        for column in measured
    }


def _texts(cell: Cell, decimals: int) -> list[str]:
    told = partial(Unit("").told, decimals=decimals)
    published = told({"mean": cell["published"], "stderr": cell["spread"]})
    if cell["last"] is None or cell["oracle"] is None:
        return [published, "", "", ""]
    return [published, told(cell["last"]), told(cell["oracle"]), str(cell["seeds"])]


def _caption(found: Reproduction) -> str:
    runs, changes = found["published_seeds"], found["changes"]
    published = f"mean of {runs} runs" if runs > 1 else "one run"
    if any(cell["spread"] is not None for cell in found["cells"]):
        published += f" ± {found['published_spread']}"
    changed = f" Not the paper's recipe: {', '.join(f'{k} {v}' for k, v in changes.items())}." if changes else ""
    return (
        f"Published: {published}. Measured: last epoch, mean ± standard error over seeds; oracle: the best epoch by "
        f"the exam's labels.{changed}"
    )
