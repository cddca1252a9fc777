"""A table of a paper: its rows, its columns, and the figures that were published there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from isthmus.errors import OptionError
from isthmus.names import listed, unknown

FILES = Path(__file__).parent
LISTING = "`isthmus reproduce` lists them."


@dataclass(frozen=True)
class Published:
    """A figure as it was printed.

    Attributes:
        value: the figure, in percent or the unit of the table.
        spread: over the paper's runs, where it is given: see `PaperTable.spread`.
    """

    value: float
    spread: float | None = None

    @classmethod
    def parse(cls, text: float | str | None) -> Published | None:
        """Read a cell of a table's file.

        >>> Published.parse("94.2 ± 0.7")
        Published(value=94.2, spread=0.7)
        """
        if text is None:
            return None
        value, _, spread = str(text).partition("±")
        return cls(float(value), float(spread) if spread else None)


@dataclass(frozen=True)
class Column:
    """What a column was measured on.

    Attributes:
        name: what the paper calls it.
        problem: the built-in problem; None where there is none.
        domain: of a joint problem, the domain whose score it is; None for the problem's own score.
        recipes: changes of the table's recipes in this column, by their names.
    """

    name: str
    problem: str | None = None
    domain: str | None = None
    recipes: Mapping[str, Mapping[str, Any]] | None = None


@dataclass(frozen=True)
class Row:
    """One method.

    Attributes:
        name: what the paper calls it.
        published: its figure in each column.
        method: the registered name with the paper's options; None where there is none.
        recipe: the name of one of the table's recipes; the problems' own if None.
    """

    name: str
    published: tuple[Published | None, ...]
    method: str | None = None
    recipe: str | None = None


@dataclass(frozen=True)
class PaperTable:
    """A table of a paper.

    Attributes:
        paper: short name of the paper.
        number: of the table in it.
        source: authors and year.
        title: what the table holds.
        seeds: number of runs that the paper's means are of.
        recipes: changes of a problem's recipe, by name.
        columns: in the paper's order.
        rows: in the paper's order.
        backbone: in place of the problems' own.
        spread: what stands behind ±.
    """

    paper: str
    number: str
    source: str
    title: str
    seeds: int
    recipes: Mapping[str, Mapping[str, Any]]
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    backbone: str | None = None
    spread: str = "standard deviation"

    @property
    def name(self) -> str:
        """Paper and number, as the command takes them."""
        return f"{self.paper} {self.number}"

    def only(self, rows: Sequence[str], columns: Sequence[str]) -> PaperTable:
        """The table with the rows of some methods and the columns of some problems; all of them where none is named.

        Raises:
            OptionError: a name that the table does not have.
        """
        places = _chosen("column", columns, [column.problem for column in self.columns], self.name)
        lines = _chosen("row", rows, [row.method for row in self.rows], self.name)
        return replace(
            self,
            columns=tuple(self.columns[place] for place in places),
            rows=tuple(
                replace(row, published=tuple(row.published[place] for place in places))
                for row in (self.rows[line] for line in lines)
            ),
        )

    def changes(self, row: Row, column: Column) -> dict[str, Any]:
        """What a cell changes of its problem's recipe."""
        if row.recipe is None:
            return {}
        return {**self.recipes[row.recipe], **(column.recipes or {}).get(row.recipe, {})}


def load_tables(paper: str | None = None) -> list[PaperTable]:
    """All tables, or those of one paper.

    Raises:
        OptionError: an unknown paper.
    """
    names = sorted((path.stem for path in FILES.glob("*.yaml")), key=_order)
    papers = {name.partition("-")[0] for name in names}
    if paper is not None and paper not in papers:
        raise unknown("paper", paper, sorted(papers), LISTING)
    return [_read(name) for name in names if paper in (None, name.partition("-")[0])]


def load_table(paper: str, number: str) -> PaperTable:
    """One table.

    >>> load_table("dfa", "2").rows[-1].method
    'dfa_mcd'

    Raises:
        OptionError: an unknown paper, or a number that is none of its tables.
    """
    tables = {table.number: table for table in load_tables(paper)}
    if number not in tables:
        raise OptionError(f"Expected one of the tables {listed(tables)} of `{paper}`, but got `{number}`. {LISTING}")
    return tables[number]


def _read(name: str) -> PaperTable:
    import yaml

    content = yaml.safe_load((FILES / f"{name}.yaml").read_text(encoding="utf-8"))
    paper, _, number = name.partition("-")
    columns = tuple(Column(**column) for column in content.pop("columns"))
    rows = tuple(Row(published=tuple(map(Published.parse, row.pop("published"))), **row) for row in content.pop("rows"))
    return PaperTable(paper, number, columns=columns, rows=rows, **{"recipes": {}, **content})


def _chosen(kind: str, wanted: Sequence[str], known: Sequence[str | None], table: str) -> list[int]:
    """The places of the names that are wanted; of all, if none is."""
    names = [name for name in known if name is not None]
    for name in wanted:
        if name not in names:
            raise unknown(f"{kind} of table {table}", name, names, f"It has {listed(dict.fromkeys(names), most=20)}.")
    return [place for place, name in enumerate(known) if not wanted or name in wanted]


def _order(name: str) -> tuple[str, int]:
    """Papers by name, their tables by number."""
    paper, _, number = name.partition("-")
    return paper, int(number)
