"""The tables of a documentation page, for tests that compare them with files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


def rows(page: Path) -> Iterator[tuple[list[str], list[str]]]:
    """The header and the cells of each row of a page's tables, without backquotes."""
    head: list[str] = []
    for line in page.read_text(encoding="utf-8").splitlines():
        if not line.startswith("|"):
            head = []
            continue
        cells = [cell.strip().replace("`", "") for cell in line.strip("|").split("|")]
        if head:
            yield head, cells
        head = head or cells
