"""What all tests share: one thread a process, every method in turn, and the command line."""

from __future__ import annotations

import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported; several test processes would fight

import pytest
import torch
from hypothesis import settings
from small_problems import IMAGE_RUNS, METHODS, Command

from isthmus.cli.main import main

torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
settings.register_profile("suite", deadline=None, max_examples=25)
settings.load_profile("suite")


@pytest.fixture(params=METHODS)
def method_name(request: pytest.FixtureRequest) -> str:
    """Every registered method in turn."""
    return str(request.param)


@pytest.fixture(params=(*METHODS, *IMAGE_RUNS))
def run_name(request: pytest.FixtureRequest) -> str:
    """Every registered method in turn, then those that complete or generate images."""
    return str(request.param)


@pytest.fixture
def few_scenes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the problem `shapes` so small that it is drawn in a moment."""
    from isthmus.data.benchmarks import shapes

    monkeypatch.setattr(shapes, "SPLITS", {"source": 8, "target": 8, "validation": 2, "exam": 3})
    monkeypatch.setattr(shapes, "_rendered", shapes._rendered.__wrapped__)  # kept for the whole process otherwise


@pytest.fixture
def isthmus_command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    """Runs a command in an empty folder; returns its exit code, standard output and standard error."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("COLUMNS", "120")

    def run(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main([os.fspath(a) if isinstance(a, Path) else str(a) for a in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run
