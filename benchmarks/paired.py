"""By how much methods differ from one of them, seed by seed: mean and standard error of the last epoch's differences.

In points, or the metric's unit; below zero is less. Reads what `isthmus compare` wrote, or a file of `results/`:

    python benchmarks/paired.py benchmarks/results/shapes.json mtl_both headfreeze
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from isthmus.report.results import Results, by_method, statistic
from isthmus.report.units import difference, factor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="a results.json")
    parser.add_argument("reference")
    parser.add_argument("methods", nargs="+")
    options = parser.parse_args()

    results: Results = json.loads(options.results.read_text(encoding="utf-8"))
    scores = {
        method: {run["seed"]: run["scores"]["last"] for run in runs}
        for method, runs in by_method(results["runs"]).items()
    }
    for method in (options.reference, *options.methods):
        if method not in scores:
            parser.error(f"Expected one of {', '.join(scores)}, but got {method!r}.")
    reference, times = scores[options.reference], factor(results)
    print(f"| {difference(results)} | less `{options.reference}` |")
    print("| --- | ---: |")
    for method in options.methods:
        found = statistic(score - reference[seed] for seed, score in scores[method].items())
        print(f"| {method} | {times * found['mean']:.2f} ± {times * found['stderr']:.2f} |")


if __name__ == "__main__":
    main()
