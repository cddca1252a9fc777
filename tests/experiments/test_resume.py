"""A run killed with -9 and resumed ends bit-identical to one that was not."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).with_name("kill_everything.py")
TIMES = ("seconds", "images_per_second", "peak_memory_mb")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("resume")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, str(SCRIPT), str(out)], env=environment, capture_output=True, timeout=600)
    assert done.returncode == 0, done.stderr.decode()
    return out


def result(folder: Path) -> dict[str, Any]:
    content = json.loads((folder / "result.json").read_text())
    return {key: value for key, value in content.items() if key not in TIMES}


def kept(folder: Path) -> dict[str, bytes]:
    """What must not depend on how a run came to its end: models, histories and findings."""
    patterns = ("last/**/*.safetensors", "selected/**/*.safetensors", "history.json", "metrics.csv", "findings.npz")
    return {str(path.relative_to(folder)): path.read_bytes() for name in patterns for path in folder.glob(name)}


def test_files_are_identical(folder: Path, run_name: str) -> None:
    killed, whole = (kept(folder / f"{run_name}-{kind}") for kind in ("killed", "whole"))
    assert len(whole) >= 4
    assert killed.keys() == whole.keys()
    assert [name for name in whole if killed[name] != whole[name]] == []


def test_results_are_equal(folder: Path, run_name: str) -> None:
    assert result(folder / f"{run_name}-killed") == result(folder / f"{run_name}-whole")
