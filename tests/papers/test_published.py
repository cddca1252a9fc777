"""The tables' files: what they name exists, and their figures are those of the methods' pages, written down apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import pytest
from page_tables import rows

from isthmus.data.benchmarks import setting_of
from isthmus.data.benchmarks.fine_grained_lists import SETS
from isthmus.data.recipes import Recipe
from isthmus.methods.registry import check_options, method_entry
from isthmus.papers.tables import PaperTable, Published, Row, load_table, load_tables

TABLES = {table.name: table for table in load_tables()}
ROWS = [(table, row) for table in TABLES.values() for row in table.rows]
RUN_ROWS = [(table, row) for table, row in ROWS if row.method]
METHODS = Path(__file__).parents[2] / "docs" / "methods"
DOMAINS = {"fine-grained": {part.name for part in SETS}}

CELLS = ("dfa 2", "jtln 2", "joint_irls 4")
"""Tables that the pages have whole, with their columns."""
AVERAGES = {"Office-31": ("dfa 5", "symnets 1"), "Office-Home": ("dfa 6", "symnets 3")}
"""Tables of which the pages have each row's average."""
ABLATIONS = {"dfa_ent": "dfa 8", "symnets": "symnets 4", "domain_confusion": "symnets 4"}
"""Tables of which a page has each row's average, by the name that runs it."""
IN_OTHER_WORDS = {
    "fine-tuning on the target": "finetune_target",
    "joint fine-tuning": "joint_finetune",
    "JTLN, MK-MMD": "jtln",
    "JTLN, transport": "jtln:cost=ot",
}
IN_A_SENTENCE = {("symnets 1", "ADDA")}
"""Whose average a page has outside of its tables."""
AVERAGE = "average of all columns"


def test_each_of_the_papers_has_its_tables() -> None:
    papers = Counter(table.paper for table in TABLES.values())
    assert papers == {"dfa": 4, "joint_irls": 1, "jtln": 1, "symnets": 3}


@pytest.mark.parametrize("table", TABLES.values(), ids=list(TABLES))
def test_names_are_told_once_and_recipes_are_used(table: PaperTable) -> None:
    columns, runs = [column.name for column in table.columns], [row.method for row in table.rows if row.method]
    for names in (columns, [row.name for row in table.rows], runs):
        assert len(set(names)) == len(names)
    assert set(table.recipes) == {row.recipe for row in table.rows} - {None}
    assert all(set(column.recipes or {}) <= set(table.recipes) for column in table.columns)
    assert table.seeds > 0


@pytest.mark.parametrize("table", TABLES.values(), ids=list(TABLES))
def test_domains_are_those_of_the_problem(table: PaperTable) -> None:
    for column in table.columns:
        assert column.domain is None or column.domain in DOMAINS[str(column.problem)]


@pytest.mark.parametrize(("table", "row"), ROWS, ids=[f"{table.name}, {row.name}" for table, row in ROWS])
def test_a_row_has_a_figure_for_each_column(table: PaperTable, row: Row) -> None:
    assert len(row.published) == len(table.columns)
    for figure in filter(None, row.published):
        assert 30 < figure.value <= 100
        assert figure.spread is None or 0 <= figure.spread < 1
    assert row.method or not row.recipe


@pytest.mark.parametrize(("table", "row"), RUN_ROWS, ids=[f"{table.name}, {row.method}" for table, row in RUN_ROWS])
def test_a_row_with_a_method_can_be_run(table: PaperTable, row: Row) -> None:
    assert row.method is not None
    check_options(row.method)
    for column in table.columns:
        if column.problem is not None:
            assert setting_of(column.problem) == method_entry(row.method).setting
            recipe = replace(Recipe(), **table.changes(row, column))
            assert recipe.evaluations == Recipe().evaluations


def test_a_recipe_is_changed_by_its_column() -> None:
    table = load_table("dfa", "5")
    safn = next(row for row in table.rows if row.method == "safn")
    steps = [table.changes(safn, column).get("steps_per_epoch") for column in table.columns]
    assert steps == [None, 24, None, None, 88, 88]
    assert {table.changes(safn, column)["epochs"] for column in table.columns} == {100}


def row_of(table: PaperTable, label: str) -> Row | None:
    """The row that a page means: by its method, or by what the paper calls it, remarks in brackets aside."""
    wanted = IN_OTHER_WORDS.get(label, label).partition(" (")[0]
    by_method = {row.method: row for row in table.rows if row.method}
    by_name = {row.name.partition(" (")[0].casefold(): row for row in reversed(table.rows)}
    return by_method.get(wanted) or by_name.get(wanted.casefold())


Told = tuple[str, str, str]
"""Table, row and column."""


def told(page: Path) -> Iterator[tuple[Told, str]]:
    """The figures on a page that the files hold too, directly or as an average."""
    for head, cells in rows(page):
        for table in map(TABLES.__getitem__, CELLS):
            names = {column.name for column in table.columns}
            if names >= set(head[1:]) and (row := row_of(table, cells[0])):
                yield from (((table.name, row.name, name), text) for name, text in zip(head[1:], cells[1:]))
        for table in (TABLES[name] for name in AVERAGES.get(cells[0].partition(",")[0], ())):
            found = [(row_of(table, label), text) for label, text in zip(head[1:], cells[1:])]
            yield from (((table.name, row.name, AVERAGE), text) for row, text in found if row)
        if page.stem in ABLATIONS and head[-1] == "name":
            table = TABLES[ABLATIONS[page.stem]]
            row = next((row for row in table.rows if row.method == cells[-1]), None)
            if row is not None:
                yield (table.name, row.name, AVERAGE), cells[1]


FOUND = [(cell, text) for page in sorted(METHODS.glob("*.md")) for cell, text in told(page)]


def figure(cell: Told) -> Published | None:
    """What the files hold."""
    table = TABLES[cell[0]]
    row = next(row for row in table.rows if row.name == cell[1])
    if cell[2] == AVERAGE:
        return Published(fmean(figure.value for figure in row.published if figure))
    return row.published[[column.name for column in table.columns].index(cell[2])]


@pytest.mark.parametrize("name", TABLES)
def test_the_pages_have_the_same_figures(name: str) -> None:
    for cell, text in FOUND:
        if cell[0] != name:
            continue
        ours, page = figure(cell), Published.parse(text)
        assert ours is not None
        assert page is not None
        in_percent = 100 if name == "jtln 2" else 1
        rounding = 0.0501 if cell[2] == AVERAGE else 1e-9
        assert ours.value == pytest.approx(page.value * in_percent, abs=rounding), cell
        assert ours.spread == page.spread, cell


def test_the_pages_have_every_figure_of_their_methods() -> None:
    on_pages = {cell for cell, _ in FOUND}
    for table in TABLES.values():
        names = [column.name for column in table.columns] if table.name in CELLS else [AVERAGE]
        for row in table.rows:
            if row.method and any(row.published) and (table.name, row.name) not in IN_A_SENTENCE:
                cells = zip(names, row.published)
                assert {(table.name, row.name, name) for name, figure in cells if figure} <= on_pages


def test_most_of_the_files_is_checked_by_the_pages() -> None:
    counts = Counter(table for (table, _, _), _ in FOUND)
    assert set(counts) == set(TABLES)
    assert counts["dfa 2"] >= 59
    assert counts.total() >= 165, counts
