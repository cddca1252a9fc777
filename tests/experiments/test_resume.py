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


@pytest.mark.parametrize(
    "file", ["last/model.safetensors", "selected/model.safetensors", "history.json", "metrics.csv"]
)
def test_files_are_identical(folder: Path, method_name: str, file: str) -> None:
    killed, whole = (folder / f"{method_name}-{kind}" / file for kind in ("killed", "whole"))
    assert killed.read_bytes() == whole.read_bytes()


def test_results_are_equal(folder: Path, method_name: str) -> None:
    assert result(folder / f"{method_name}-killed") == result(folder / f"{method_name}-whole")
