"""What a person sees while something takes long."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from isthmus import progress
from isthmus.engine.hardware import Hardware
from isthmus.errors import RunFolderError
from isthmus.report.html import write_report

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


def test_long_waits_without_a_bar_say_what_they_are_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal, and nowhere else."""
    for terminal in (True, False):
        console = Console(force_terminal=terminal)
        monkeypatch.setattr(progress, "console", lambda console=console: console)
        with console.capture() as capture:
            Hardware(accelerator="cpu").fabric()
            with pytest.raises(RunFolderError):
                write_report(Path("nowhere"))
        for line in ("Starting …", "Drawing the report …"):
            assert (line in capture.get()) == terminal
