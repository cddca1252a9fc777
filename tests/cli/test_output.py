"""What commands print: nothing of a name is lost."""

from __future__ import annotations

import pytest

from isthmus.cli.output import show_classes, show_pixels


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")


def test_names_of_classes_and_exams_are_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    classes = [{"name": "c[red]at", "samples": 4, "accuracy": 0.5}, {"name": "[/]", "samples": 0, "accuracy": None}]
    show_classes({"exam": "exam [old]", "accuracy": 0.5, "classes": classes})
    out = capsys.readouterr().out
    assert "exam [old]: accuracy 50.00 %" in out
    assert "c[red]at" in out
    assert "[/]" in out


def test_names_of_tasks_and_their_exam_are_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    tasks, units = {"depth [m]": {"rmse": 0.0456}}, {"depth [m]": {"rmse": ""}}
    show_pixels({"exam": "rooms [old]", "samples": 3, "tasks": tasks, "units": units})
    out = capsys.readouterr().out
    assert "rooms [old], 3 samples" in out
    assert "depth [m]" in out
