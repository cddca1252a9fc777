"""Progress bars: on a terminal and on the first process only."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Column

T = TypeVar("T")

NAME_WIDTH, BAR_WIDTH = 24, 20
"""Characters of a bar and of what it is of; what comes of it has the rest of the line."""


def first_process() -> bool:
    """Whether this is the only process or the first of a launch: the one that speaks."""
    return all(int(os.environ.get(name, "0")) == 0 for name in ("LOCAL_RANK", "NODE_RANK"))


def console() -> Console:
    """Where notes to a person go: standard error, silent in all processes of a launch but the first."""
    return Console(stderr=True, quiet=not first_process())


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """A bar with counts and times; nothing is drawn where standard error is no terminal."""
    target = console()
    name = Column(no_wrap=True, max_width=NAME_WIDTH)
    status = Column(no_wrap=True, ratio=1)
    columns = (
        TextColumn("{task.description}", markup=False, table_column=name),
        BarColumn(BAR_WIDTH),
        MofNCompleteColumn(table_column=Column(no_wrap=True)),
        TimeElapsedColumn(table_column=Column(no_wrap=True)),
        TimeRemainingColumn(table_column=Column(no_wrap=True)),
        TextColumn("{task.fields[status]}", markup=False, table_column=status),
    )
    with Progress(*columns, console=target, disable=not _is_watched(target), expand=True) as progress:
        yield progress


@contextmanager
def waiting(what: str) -> Iterator[None]:
    """Says what takes a while, until it is done; around a function's body too. Nothing where there are no bars."""
    target = console()
    with target.status(what) if _is_watched(target) else nullcontext():
        yield


def _is_watched(target: Console) -> bool:
    return target.is_terminal and not target.quiet


def track(items: Iterable[T], description: str, total: int) -> Iterator[T]:
    """`items`, with a bar that follows them; without a description there is none."""
    if not description:
        yield from items
        return
    with progress_bar() as progress:
        bar = progress.add_task(description, total=total, status="")
        for item in items:
            yield item
            progress.advance(bar)
