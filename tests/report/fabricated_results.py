"""Results made of known numbers."""

from __future__ import annotations

from typing import Any

import numpy as np

from isthmus.report.results import Results, RunRecord, Scores, summarise

LAST = {"source_only": (0.60, 0.62, 0.64), "symnets": (0.70, 0.74, 0.75), "dann": (0.61, 0.63, 0.65)}
CLASSES = ["cat <b>", "dog & co", "owl"]


def run_record(method: str, seed: int, last: float | None, *, label_free: float = 1.5, message: str = "") -> RunRecord:
    """A run with two heads for SymNets, one for the others."""

    def scores(shift: float) -> Scores:
        if last is None:
            return {"last": None, "selected": None, "oracle": None}
        return {"last": last + shift, "selected": last + shift - 0.01, "oracle": last + shift + 0.02}

    return {
        "method": method,
        "seed": seed,
        "metric": "accuracy",
        "higher_is_better": True,
        "scores": scores(0.0),
        "selected_by": "information_maximisation",
        "selected_epoch": 2,
        "epochs": 3,
        "steps": 30,
        "seconds": 12.0 + seed,
        "images_per_second": 1000.0,
        "peak_memory_mb": None,
        "parameters": 1234,
        "diagnostics": [
            {"name": "information_maximisation", "value": label_free, "message": ""},
            {"name": "collapsed_predictions", "value": 1.0 if message else 0.0, "message": message},
        ],
        "heads": {"result": scores(0.0)} | ({"source": scores(-0.1)} if method == "symnets" else {}),
        "folder": f"runs/{method.replace(':', '-')}-seed{seed}",
    }


def make_results(runs: list[RunRecord], *, exam: bool = True) -> Results:
    """Results of a problem with awkward class names."""
    return {
        "schema": 1,
        "problem": {
            "name": "pets <x>",
            "setting": "unsupervised",
            "classes": CLASSES,
            "domains": [
                {"name": "photos", "samples": 1200, "labelled": True},
                {"name": "drawings", "samples": 800, "labelled": False},
            ],
            "exam": {"name": "drawings (held out)", "samples": 90, "transductive": False} if exam else None,
            "backbone": "digits",
            "recipe": {"epochs": 3, "clip_norm": None},
            "notes": ["A note with <i>tags</i>."],
        },
        "versions": {"isthmus": "0.1.0", "python": "3.11"},
        "runs": runs,
        "summary": summarise(runs),
    }


def make_views(pictures: int, known: bool) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    features = {
        f"{domain}_{when}": rng.normal(size=(12, 5)).astype(np.float32)
        for domain in ("source", "target")
        for when in ("before", "after")
    }
    labels = np.arange(pictures) % 3
    return features | {
        "source_labels": np.arange(12) % 3,
        "target_labels": np.arange(12) % 3 if known else np.full(12, -1),
        "pictures": rng.integers(0, 256, (pictures, 8, 8, 3), dtype=np.uint8),
        "picture_labels": labels if known else np.full(pictures, -1),
        "picture_probabilities": np.tile([0.7, 0.2, 0.1], (pictures, 1)),
    }
