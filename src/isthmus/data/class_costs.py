"""Costs between classes that a person gives, or that follow from the classes' names."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from isthmus.errors import DataError
from isthmus.names import listed


def read_costs(
    path: Path, source_classes: Sequence[str], target_classes: Sequence[str]
) -> Float[Tensor, "source_classes target_classes"]:
    """The matrix of a CSV file: a row per source class, a column per target class, in any order.

    The first row holds the names of the target classes after a first cell that may say anything, and the first column
    those of the source classes:

        ,fighter,airliner
        glider,0.9,0.7
        jet,0.2,0.3

    Args:
        path: of the file, in UTF-8.
        source_classes: names in the order of the matrix's rows.
        target_classes: names in the order of its columns.

    Raises:
        DataError: no such file, names that are missing, unknown or there twice, rows of unequal length, or costs that
            are no numbers, negative or not finite.
    """
    rows = _rows(path)
    columns = _places(path, "column", [name.strip() for name in rows[0][1:]], target_classes)
    lines = _places(path, "row", [row[0].strip() for row in rows[1:]], source_classes)
    ragged = next((row for row in rows if len(row) != len(rows[0])), None)
    if ragged is not None:
        raise DataError(
            f"`{path}`: expected {len(rows[0])} cells in every row, as in the first, but got {len(ragged)} in that of "
            f"`{ragged[0]}`. Put quotation marks around names with commas."
        )
    costs = [
        [_cost(path, rows[1 + lines[source]][1 + columns[target]], source, target) for target in target_classes]
        for source in source_classes
    ]
    return torch.tensor(costs, dtype=torch.float32)


def text_costs(
    source_classes: Sequence[str], target_classes: Sequence[str]
) -> Float[Tensor, "source_classes target_classes"]:
    """How unlike names are: 1 − the cosine similarity of their parts of 2 to 4 letters, weighted by tf-idf.

    Parts do not cross the ends of words; lower and upper case are one.

    >>> text_costs(["Boeing 737", "glider"], ["boeing 737", "yacht"]).round(decimals=2)
    tensor([[0., 1.],
            [1., 1.]])
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4))
    vectors = vectorizer.fit_transform([*source_classes, *target_classes])  # of length one
    similar = (vectors[: len(source_classes)] @ vectors[len(source_classes) :].T).toarray()
    return torch.from_numpy(1 - similar).float().clamp_(min=0)


def _rows(path: Path) -> list[list[str]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = [row for row in csv.reader(file) if any(cell.strip() for cell in row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"Expected a table of costs (CSV in UTF-8) at `{path}`, but got: {error}.") from error
    if not rows:
        raise DataError(f"`{path}`: expected a row of target classes, then a row per source class, but got nothing.")
    return rows


def _places(path: Path, kind: str, found: Sequence[str], expected: Sequence[str]) -> dict[str, int]:
    """Where each name stands."""
    twice = sorted({name for name in found if found.count(name) > 1})
    if twice:
        raise DataError(f"`{path}`: expected one {kind} per class, but got more of {listed(twice)}. Leave one of each.")
    missing, extra = sorted(set(expected) - set(found)), sorted(set(found) - set(expected))
    if missing or extra:
        domain = "target" if kind == "column" else "source"
        raise DataError(
            f"`{path}`: expected a {kind} for each {domain} class and no others, but missing are "
            f"{listed(missing)}, and unknown {listed(extra)}. Rename, add or remove {kind}s."
        )
    return {name: place for place, name in enumerate(found)}


def _cost(path: Path, cell: str, source: str, target: str) -> float:
    try:
        cost = float(cell)
    except ValueError:
        cost = math.nan
    if not 0 <= cost < math.inf:
        raise DataError(
            f"`{path}`: expected a finite cost of at least zero from `{source}` to `{target}`, but got "
            f"{cell.strip()!r}. Correct the cell."
        )
    return cost
