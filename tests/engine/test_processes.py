"""Two real processes that share every batch take the steps that one process takes, in float64."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from small_problems import METHODS, POLICIES

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


@pytest.mark.parametrize(("name", "batch_norm"), [case for case in POLICIES if case[0] in METHODS])
def test_two_processes_equal_one(
    ends: dict[str, dict[str, dict[str, torch.Tensor]]], name: str, batch_norm: str
) -> None:
    """But for holes and generators: what is random, each process draws for its own share of the batch."""
    key = f"{name}-{batch_norm}"
    for weight, expected in ends["1-0"][key].items():
        torch.testing.assert_close(
            ends["2-0"][key][weight], expected, rtol=1e-8, atol=1e-10, msg=lambda m, weight=weight: f"{weight}: {m}"
        )


@pytest.mark.parametrize(("name", "batch_norm"), POLICIES)
def test_processes_agree(ends: dict[str, dict[str, dict[str, torch.Tensor]]], name: str, batch_norm: str) -> None:
    first, second = (ends[launch][f"{name}-{batch_norm}"] for launch in ("2-0", "2-1"))
    assert [weight for weight in first if not torch.equal(first[weight], second[weight])] == []
