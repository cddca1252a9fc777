"""An output folder as a comparison writes it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fabricated_results import LAST, make_results, make_views, run_record

from isthmus.report.results import Results


@pytest.fixture
def results() -> Results:
    return make_results([run_record(m, seed, value) for m, values in LAST.items() for seed, value in enumerate(values)])


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes results with histories and, unless told otherwise, views."""

    def write(results: Results, *, views: bool = True, pictures: int = 3) -> Path:
        (tmp_path / "results.json").write_text(json.dumps(results))
        known = results["problem"]["exam"] is not None
        for run in results["runs"]:
            folder = tmp_path / run["folder"]
            folder.mkdir(parents=True, exist_ok=True)
            history = [
                {
                    "epoch": epoch,
                    "losses": {"task": 1 / epoch},
                    "metrics": {"result": 0.2 * epoch} if known else {},
                    "scores": {"information_maximisation": 0.5 * epoch},
                }
                for epoch in (1, 2, 3)
            ]
            (folder / "history.json").write_text(json.dumps(history))
            if views:
                np.savez(folder / "views.npz", **make_views(pictures, known))
        return tmp_path

    return write
