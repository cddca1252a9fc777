"""By how much methods differ from one of them, seed by seed: mean and standard error of the last epoch's differences.

In points, or the metric's unit; below zero is less. Reads what `isthmus compare` wrote, or a file of `results/`:

    python benchmarks/paired.py benchmarks/results/shapes.json mtl_both headfreeze

The one that others are compared with may stand in another file, of the same problem and seeds: `--reference-in FILE`.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from isthmus.report.results import Results, by_method, statistic
from isthmus.report.units import unit_of


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="a results.json")
    parser.add_argument("reference")
    parser.add_argument("methods", nargs="+")
    parser.add_argument("--reference-in", type=Path, metavar="RESULTS")
    options = parser.parse_args()

    results: Results = json.loads(options.results.read_text(encoding="utf-8"))
    other: Results = json.loads((options.reference_in or options.results).read_text(encoding="utf-8"))
    if other["problem"]["name"] != results["problem"]["name"]:
        parser.error(f"Expected results of {results['problem']['name']}, but got {other['problem']['name']}.")
    scores, references = last_epochs(results), last_epochs(other)
    for method, known in ((options.reference, references), *((method, scores) for method in options.methods)):
        if method not in known:
            parser.error(f"Expected one of {', '.join(known)}, but got {method!r}.")
    reference, unit = references[options.reference], unit_of(results)
    print(f"| {unit.difference} | less `{options.reference}` |")
    print("| --- | ---: |")
    for method in options.methods:
        found = statistic(score - reference[seed] for seed, score in scores[method].items())
        print(f"| {method} | {unit.told(found, decimals=2)} |")


def last_epochs(results: Results) -> dict[str, dict[int, float]]:
    """The last epoch's score by method and seed."""
    found: dict[str, dict[int, float]] = {}
    for method, runs in by_method(results["runs"]).items():
        scores = {run["seed"]: run["scores"]["last"] for run in runs}
        found[method] = {seed: score for seed, score in scores.items() if score is not None}
    return found


if __name__ == "__main__":
    main()
