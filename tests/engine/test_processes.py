"""Two real processes that share every batch take the steps that one process takes, in float64."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

SCRIPT = Path(__file__).with_name("train_everything.py")


@pytest.fixture(scope="module")
def ends(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, dict[str, torch.Tensor]]]:
    """Weights of every method after two steps, by launch: `1-0`, and both processes of two: `2-0`, `2-1`."""
    folder = tmp_path_factory.mktemp("processes")
    for devices in (1, 2):
        command = [sys.executable, str(SCRIPT), str(folder), str(devices)]
        done = subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, timeout=300)
        assert done.returncode == 0, done.stderr.decode()
    return {name: torch.load(folder / f"{name}.pt") for name in ("1-0", "2-0", "2-1")}


@pytest.mark.parametrize("batch_norm", ["separate", "joint"])
def test_two_processes_equal_one(
    ends: dict[str, dict[str, dict[str, torch.Tensor]]], method_name: str, batch_norm: str
) -> None:
    key = f"{method_name}-{batch_norm}"
    one, first, second = (ends[launch][key] for launch in ("1-0", "2-0", "2-1"))
    for name, expected in one.items():
        torch.testing.assert_close(
            first[name], expected, rtol=1e-8, atol=1e-10, msg=lambda m, name=name: f"{name}: {m}"
        )
        assert torch.equal(first[name], second[name]), name
