"""What commands print."""

from __future__ import annotations

import inspect
import json as json_module
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from isthmus.progress import first_process

if TYPE_CHECKING:
    from isthmus.evaluation.export import Exported, Value
    from isthmus.methods.registry import MethodEntry
    from isthmus.papers import PaperTable


WARNINGS = 6
"""That are printed; the report has them all."""


def show_results(folder: Path, json: bool) -> None:
    """The table of an output folder and what to think of it, or its results as JSON; on the first process."""
    if not first_process():
        return
    from rich.console import Console
    from rich.text import Text

    from isthmus.report.html import findings
    from isthmus.report.metrics import metric_names, metric_table
    from isthmus.report.results import REPORT, read_results
    from isthmus.report.tables import summary_table
    from isthmus.report.verdict import verdict

    results = read_results(folder)
    if json:
        print_json(results)
        return
    output = Console()
    output.print(summary_table(results))
    if metric_names(results):
        output.print(metric_table(results))
    output.print()
    output.print(Text(verdict(results), style="bold"))
    found = findings(results["runs"])
    for finding in found[:WARNINGS]:
        output.print(Text.assemble(("Warning, ", "yellow"), f"{finding.of}: {finding.message}"))
    if len(found) > WARNINGS:
        output.print(f"{len(found) - WARNINGS} more warnings are in the report.")
    for note in results["problem"]["notes"]:
        output.print(Text(f"Note: {note}"))
    output.print(f"Report: {folder / REPORT}", markup=False, highlight=False, soft_wrap=True)


def show_reproduction(folder: Path, json: bool) -> None:
    """A paper's table, measured beside published; on the first process."""
    if not first_process():
        return
    from rich.console import Console

    from isthmus.report.reproduction import REPRODUCTION, read_reproduction, reproduction_table

    found = read_reproduction(folder)
    if json:
        print_json(found)
        return
    output = Console()
    output.print(reproduction_table(found))
    output.print(f"All figures: {folder / REPRODUCTION}", markup=False, highlight=False, soft_wrap=True)


def show_tables(tables: list[PaperTable], *, every: bool) -> None:
    """Papers' tables; those of one paper with the names of what can be run in them."""
    from rich.console import Console
    from rich.table import Table

    if every:
        listing = Table("name", "source", "title", box=None, pad_edge=False)
        for table in tables:
            listing.add_row(table.name, table.source, table.title)
        Console().print(listing)
        return
    output = Console()
    for table in tables:
        row = table_row(table)
        output.print(f"{table.name}: {table.title} ({table.source})", markup=False, highlight=False, soft_wrap=True)
        for kind in ("columns", "rows"):
            output.print(f"  --{kind} {' '.join(row[kind])}", markup=False, highlight=False, soft_wrap=True)


def table_row(table: PaperTable) -> dict[str, Any]:
    """A paper's table in a list, with the names of what can be run in it."""
    return {
        "paper": table.paper,
        "table": table.number,
        "source": table.source,
        "title": table.title,
        "seeds": table.seeds,
        "columns": list(dict.fromkeys(column.problem for column in table.columns if column.problem)),
        "rows": list(dict.fromkeys(row.method for row in table.rows if row.method)),
    }


def show_classes(result: dict[str, Any]) -> None:
    """Accuracies of a model, overall and by class."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    # As Text, for names in brackets are no markup.
    title = Text(f"{result['exam']}: accuracy {100 * result['accuracy']:.2f} %", style="bold")
    table = Table("class", "samples", "accuracy %", title=title)
    for row in result["classes"]:
        share = f"{100 * row['accuracy']:.1f}" if row["samples"] else "–"
        table.add_row(Text(row["name"]), str(row["samples"]), share)
    Console().print(table)


def show_pixels(result: dict[str, Any]) -> None:
    """Metrics of a model for pixel-wise tasks, by task."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from isthmus.report.results import statistic
    from isthmus.report.units import Unit

    title = Text(f"{result['exam']}, {result['samples']} samples", style="bold")
    table = Table("task", "metric", "value", title=title)
    for task, values in result["tasks"].items():
        for name, value in values.items():
            unit = Unit(result["units"][task][name])
            table.add_row(Text(task), name, unit.told(statistic([value])) + unit.suffix)
    Console().print(table)


def show_exported(exported: Exported, json: bool) -> None:
    """Where an ONNX file is, what it takes and what it gives."""
    if json:
        print_json({**asdict(exported), "file": str(exported.file)})
        return
    print(f"Written: {exported.file}")
    print(f"From {_told(exported.input)} to {', '.join(_told(output) for output in exported.outputs)}")


def _told(value: Value) -> str:
    return f"{value.name} {value.type} ({', '.join(map(str, value.shape))})"


def write_rows(rows: list[dict[str, Any]], file: TextIO, json: bool) -> None:
    """As CSV or as JSON."""
    if json:
        file.write(_json(rows))
        return
    import csv

    writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)


def show_method(entry: MethodEntry) -> None:
    """What a method or a term is, and its options with their defaults."""
    from rich.console import Console

    output = Console()
    about = f"{entry.name}: {entry.summary} ({entry.source}; {entry.setting})"
    output.print(about, markup=False, highlight=False, soft_wrap=True)
    output.print(inspect.cleandoc(entry.load().__doc__ or ""), markup=False, highlight=False, soft_wrap=True)
    example = ",".join(f"{name}={'null' if value is None else value}" for name, value in method_options(entry).items())
    if example:
        output.print(f"Defaults: {entry.name}:{example}", markup=False, highlight=False, soft_wrap=True)


def method_row(entry: MethodEntry) -> dict[str, str]:
    """A method or a term in a list."""
    return {"name": entry.name, "setting": entry.setting, "summary": entry.summary, "source": entry.source}


def method_options(entry: MethodEntry) -> dict[str, Any]:
    """A method's options with their defaults."""
    parameters = inspect.signature(entry.load()).parameters.values()
    return {parameter.name: parameter.default for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY}


def show_by_setting(rows: list[dict[str, str]]) -> None:
    """A list with a part for each setting."""
    from rich.console import Console
    from rich.table import Table

    table = Table("name", "summary", "source", box=None, pad_edge=False)
    table.columns[0].no_wrap = True  # a name is there to be copied
    for setting in dict.fromkeys(row["setting"] for row in rows):
        table.add_row(f"\n[bold]{setting}[/bold]")
        for row in rows:
            if row["setting"] == setting:
                table.add_row(row["name"], row["summary"], row["source"])
    Console().print(table)


def print_json(content: Any) -> None:
    """Plain data, on standard output."""
    sys.stdout.write(_json(content))


def _json(content: Any) -> str:
    return json_module.dumps(content, indent=2) + "\n"
