"""Costs between classes from a table and from names."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path

import pytest
import torch

from isthmus.data.class_costs import read_costs, text_costs
from isthmus.errors import DataError

SOURCE, TARGET = ("glider", "jet", "kite, large"), ("fighter", "airliner")
TABLE = """cost,airliner,fighter
jet,0.5,0
"kite, large", 2e-1 ,1

glider,3,4.25
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "costs.csv"
    path.write_bytes(text.encode())
    return path


@pytest.mark.parametrize("text", [TABLE, "\ufeff" + TABLE, TABLE.replace("\n", "\r\n")])
def test_rows_and_columns_are_found_by_name(tmp_path: Path, text: str) -> None:
    costs = read_costs(written(tmp_path, text), SOURCE, TARGET)
    assert torch.equal(costs, torch.tensor([[4.25, 3.0], [0.0, 0.5], [1.0, 0.2]]))


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("jet,", "jets,", "a row for each source class.*missing are `jet`, and unknown `jets`"),
        ("jet,0.5,0\n", "", "missing are `jet`, and unknown none"),
        ("airliner,", "Airliner,", "a column for each target class.*missing are `airliner`, and unknown `Airliner`"),
        ("glider", "jet", "one row per class, but got more of `jet`"),
        (",fighter", ",airliner", "one column per class, but got more of `airliner`"),
        ("4.25", "4.25,1", "3 cells in every row, as in the first, but got 4 in that of `glider`"),
        ("4.25", "-4.25", "at least zero from `glider` to `fighter`, but got '-4.25'"),
        ("4.25", "nan", "but got 'nan'"),
        ("4.25", "inf", "but got 'inf'"),
        ("4.25", "much", "but got 'much'"),
        ("4.25", "", "but got ''"),
        (TABLE, "\n", "but got nothing"),
    ],
)
def test_what_is_refused(tmp_path: Path, before: str, after: str, message: str) -> None:
    assert before in TABLE
    with pytest.raises(DataError, match=message):
        read_costs(written(tmp_path, TABLE.replace(before, after)), SOURCE, TARGET)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="table of costs"):
        read_costs(tmp_path / "none.csv", SOURCE, TARGET)
    (tmp_path / "latin.csv").write_bytes("é,a".encode("latin-1"))
    with pytest.raises(DataError, match="UTF-8"):
        read_costs(tmp_path / "latin.csv", SOURCE, TARGET)


def test_text_costs_are_one_less_the_cosine_of_weighted_parts() -> None:
    source, target = ("Boeing 737-200", "Cessna 172", "Boeing 747"), ("boeing 737-300", "Tornado")
    documents = [Counter(_parts(name)) for name in (*source, *target)]

    def weight(part: str) -> float:
        return math.log((1 + len(documents)) / (1 + sum(part in document for document in documents))) + 1

    vectors = [{part: count * weight(part) for part, count in document.items()} for document in documents]

    def cost(a: dict[str, float], b: dict[str, float]) -> float:
        norms = (math.sqrt(sum(value**2 for value in vector.values())) for vector in (a, b))
        return 1 - sum(value * b.get(part, 0.0) for part, value in a.items()) / math.prod(norms)

    expected = [[cost(a, b) for b in vectors[3:]] for a in vectors[:3]]
    torch.testing.assert_close(text_costs(source, target), torch.tensor(expected))
    assert (text_costs(source, source).diagonal() < 1e-6).all()


def _parts(name: str) -> list[str]:
    """Two to four neighbouring letters of each word between spaces."""
    words = [f" {word} " for word in name.lower().split()]
    return [word[i : i + n] for word in words for n in (2, 3, 4) for i in range(len(word) - n + 1)]
