"""How far apart both domains' features are: the distance of class means after training (table 7 of DFA).

For each class, the L2 distance between the mean features of the source's training images and of the exam's; then of the
means over all images. A network that makes all features small makes all distances small, so the distance is also given
in units of the features' own spread: the root of their mean squared deviation from their mean, both domains together.

    python benchmarks/feature_distance.py OUT --data-root DIR     (OUT: of `isthmus compare PROBLEM --out OUT`)
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

import isthmus
from isthmus.evaluation.inference import features
from isthmus.report.results import read_results


def distances(source: Tensor, labels_s: Tensor, target: Tensor, labels_t: Tensor, classes: int) -> list[float]:
    """Distance between the domains' mean features: of each class, then of all samples."""
    chosen = [(labels_s == k, labels_t == k) for k in range(classes)]
    chosen.append((torch.ones_like(labels_s, dtype=torch.bool), torch.ones_like(labels_t, dtype=torch.bool)))
    return [float((source[in_s].mean(dim=0) - target[in_t].mean(dim=0)).norm()) for in_s, in_t in chosen]


def spread(features: Tensor) -> float:
    """Root mean squared distance of features from their mean."""
    return float((features - features.mean(dim=0)).square().sum(dim=1).mean().sqrt())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, nargs="+")
    parser.add_argument("--data-root", type=Path)
    options = parser.parse_args()

    rows: dict[str, list[list[float]]] = {}
    for out in options.out:
        results = read_results(out)
        problem = isthmus.load_problem(results["problem"]["name"], options.data_root)
        exam, labels = problem.exam, problem.source.labels
        assert exam is not None
        assert labels is not None
        for run in results["runs"]:
            model = isthmus.load(out / run["folder"] / "last")
            source = features(model.network, problem.source.samples, problem.input)
            target = features(model.network, exam.samples, problem.input)
            found = distances(source, labels.values, target, exam.labels.values, len(problem.task.classes))
            unit = spread(torch.cat([source, target]))
            by_class = sum(found[:-1]) / (len(found) - 1)
            rows.setdefault(run["method"], []).append([by_class, found[-1], by_class / unit, found[-1] / unit])

    table = Table("method", "class means", "all", "class means / spread", "all / spread", "seeds")
    for method, values in rows.items():
        means = torch.tensor(values, dtype=torch.float64).mean(dim=0).tolist()
        table.add_row(method, *(f"{mean:.4f}" for mean in means), str(len(values)))
    Console().print(table)
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
