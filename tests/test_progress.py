"""What a person sees while something takes long."""

from __future__ import annotations

import pytest
from rich.console import Console

from isthmus import progress

LOSSES = "task 2.207 domain 1.386 confusion 0.693 entropy 1.386 category confusion 0.693"


@pytest.mark.parametrize("width", [80, 100, 120])
@pytest.mark.parametrize("title", ["symnets seed 0", "joint_irls:order=together,first=3 seed 0", "a[red]b"])
@pytest.mark.parametrize("status", ["", LOSSES])
def test_a_bar_keeps_its_place_beside_many_losses_and_long_names(
    monkeypatch: pytest.MonkeyPatch, width: int, title: str, status: str
) -> None:
    console = Console(width=width, force_terminal=True, color_system=None)
    monkeypatch.setattr(progress, "console", lambda: console)
    with console.capture(), progress.progress_bar() as bar:
        bar.add_task(title, total=20_000, completed=5_700, status=status)
    with console.capture() as capture:
        console.print(bar.get_renderable())
    (line,) = capture.get().splitlines()
    for part in (title[: progress.NAME_WIDTH - 1], "━━━━", "5700/20000", "0:00:00", "-:--:--", status[:3]):
        assert part in line
    assert len(line) <= width
