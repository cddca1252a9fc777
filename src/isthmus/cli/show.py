"""Commands that show what there is."""

from __future__ import annotations

from pathlib import Path

from isthmus.cli.output import (
    method_options,
    method_row,
    print_json,
    show_by_setting,
    show_method,
    show_reproduction,
    show_results,
)
from isthmus.errors import OptionError


def report(out: Path, *, markdown: bool = False, json: bool = False) -> None:
    """Draw the report of an output folder again, of the runs that are finished, and print their table.

    Args:
        out: folder that `isthmus compare`, `isthmus fit` or `isthmus reproduce` wrote; the last has a table alone.
        markdown: print the table as Markdown.
        json: print the content of results.json or reproduction.json.
    """
    from isthmus.report.html import write_report
    from isthmus.report.reproduction import REPRODUCTION, read_reproduction, reproduction_markdown
    from isthmus.report.results import read_results
    from isthmus.report.tables import markdown_table

    if (out / REPRODUCTION).is_file():
        print(reproduction_markdown(read_reproduction(out)), end="") if markdown else show_reproduction(out, json)
        return
    write_report(out)
    print(markdown_table(read_results(out)), end="") if markdown else show_results(out, json)


def methods(name: str | None = None, *, json: bool = False) -> None:
    """List the methods and the terms they take on (dann+entropy), or describe one with its options.

    Args:
        name: a method, or a term after a plus sign (+dfa); all of them by default.
        json: print JSON.
    """
    from isthmus.methods.registry import method_entries, method_entry, term_entries, term_entry

    if name is not None:
        entry = term_entry(name) if name.startswith("+") else method_entry(name)
        if name != entry.name:
            other = f"Expected one method or term, without options, but got `{name}`. Ask for `{entry.name}`"
            raise OptionError(f"{other}, and for each term by itself: `isthmus methods +dfa`.")
        print_json(method_row(entry) | {"options": method_options(entry)}) if json else show_method(entry)
        return
    rows = [method_row(entry) for entry in (*method_entries(), *term_entries())]
    print_json(rows) if json else show_by_setting(rows)


def problems(*, json: bool = False) -> None:
    """List the built-in problems.

    Args:
        json: print JSON.
    """
    from isthmus.data.benchmarks import entries

    if json:
        print_json(
            [
                {
                    "name": entry.name,
                    "setting": entry.setting,
                    "summary": entry.summary,
                    "source": entry.source,
                    "variants": [f"{entry.name}:{variant}" for variant in entry.variants],
                }
                for entry in entries()
            ]
        )
        return
    rows = []
    for entry in entries():
        summary = f"{entry.summary}; {', '.join(entry.choices)}" if entry.choices else entry.summary
        rows.append({"name": entry.pattern, "setting": entry.setting, "summary": summary, "source": entry.source})
    show_by_setting(rows)
