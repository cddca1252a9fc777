"""Methods compared on the validation splits of the joint problems, never on their exams.

Scores of every domain, and the weights between domains where a method has found some:

    python benchmarks/joint_settings.py digits-looks --seeds 2 --methods isolated share_all joint_irls:trade_off=0.01
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
from rich.console import Console

import isthmus
from isthmus.data.benchmarks import data_root
from isthmus.data.benchmarks.completion import cifar_completion, digits_completion
from isthmus.data.benchmarks.generation import digits_generation, mnist_generation
from isthmus.data.benchmarks.joint_digits import joint_digits
from isthmus.data.benchmarks.joint_looks import digits_looks
from isthmus.data.recipes import Schedule
from isthmus.report.results import read_findings
from isthmus.report.tables import summary_table

PROBLEMS = {
    "digits-looks": digits_looks,
    "joint-digits": joint_digits,
    "digits-completion": digits_completion,
    "cifar-completion": cifar_completion,
    "digits-generation": digits_generation,
    "mnist-generation": mnist_generation,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("problem", choices=PROBLEMS)
    parser.add_argument("--methods", nargs="+", default=["isolated", "share_all", "l2_reg", "joint_irls"])
    parser.add_argument("--epochs", type=int, help="instead of the problem's own number")
    parser.add_argument("--schedule", choices=get_args(Schedule), help="instead of the problem's own")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--data-root", type=Path)
    options = parser.parse_args()

    problem = PROBLEMS[options.problem](data_root(options.data_root), measured_on="validation")
    own = problem.recipe
    recipe = replace(own, epochs=options.epochs or own.epochs, schedule=options.schedule or own.schedule)
    console = Console()
    with tempfile.TemporaryDirectory() as folder:
        comparison = isthmus.compare(
            options.methods, problem, recipe=recipe, seeds=options.seeds, out=Path(folder, "out")
        )
        console.print(summary_table(comparison.results))
        for run in comparison.results["runs"]:
            weightings = read_findings(comparison.folder / run["folder"]).get("weightings", np.zeros(0))
            if len(weightings):
                last = weightings[-1][:, ~np.eye(len(problem.domains), dtype=bool)]
                console.print(
                    f"{run['method']} seed {run['seed']}: {len(weightings)} weightings, "
                    f"the last of mean {last.mean():.2f} and largest {last.max():.2f}"
                )


if __name__ == "__main__":
    main()
