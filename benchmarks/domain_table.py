"""A comparison of joint methods in Markdown: last epoch, domains in columns, and by how much one method differs.

Differences are taken seed by seed, the method's score less the others':

    python benchmarks/domain_table.py OUT joint_irls
"""

from __future__ import annotations

import argparse
from pathlib import Path

from isthmus.report.results import RunRecord, by_method, read_results, statistic
from isthmus.report.units import unit_of


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("method")
    options = parser.parse_args()

    results = read_results(options.out)
    unit, groups = unit_of(results), by_method(results["runs"])
    domains = [domain["name"] for domain in results["problem"]["domains"]]
    if options.method not in groups:
        parser.error(f"Expected one of {', '.join(groups)}, but got {options.method!r}.")
    own = {run["seed"]: _last(run) for run in groups[options.method]}
    print(f"| | average | `{options.method}` less this | {' | '.join(domains)} |")
    print(f"| --- |{' ---: |' * (2 + len(domains))}")
    for method, runs in groups.items():
        average = statistic(map(_last, runs))
        less = statistic(own[run["seed"]] - _last(run) for run in runs)
        cells = [
            f"**{unit.told(average)}**",
            "" if method == options.method else unit.told(less, unit.decimals(average)),
            *(unit.told(statistic(run["heads"][domain]["last"] for run in runs)) for domain in domains),
        ]
        print(f"| {method} | {' | '.join(cells)} |")


def _last(run: RunRecord) -> float:
    score = run["scores"]["last"]
    assert score is not None
    return score


if __name__ == "__main__":
    main()
