"""A comparison of joint methods in Markdown: last epoch, domains in columns, and by how much one method differs.

Differences are taken seed by seed, the method's score less the others':

    python benchmarks/domain_table.py OUT joint_irls
"""

from __future__ import annotations

import argparse
from pathlib import Path

from isthmus.report.results import RunRecord, by_method, read_results, statistic
from isthmus.report.units import factor, told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("method")
    options = parser.parse_args()

    results = read_results(options.out)
    times, groups = factor(results), by_method(results["runs"])
    domains = [domain["name"] for domain in results["problem"]["domains"]]
    if options.method not in groups:
        parser.error(f"Expected one of {', '.join(groups)}, but got {options.method!r}.")
    own = {run["seed"]: _last(run) for run in groups[options.method]}
    print(f"| | average | `{options.method}` less this | {' | '.join(domains)} |")
    print(f"| --- |{' ---: |' * (2 + len(domains))}")
    for method, runs in groups.items():
        less = [own[run["seed"]] - _last(run) for run in runs]
        cells = [
            f"**{told(statistic(map(_last, runs)), times)}**",
            "" if method == options.method else told(statistic(less), times),
            *(told(statistic(run["heads"][domain]["last"] for run in runs), times) for domain in domains),
        ]
        print(f"| {method} | {' | '.join(cells)} |")


def _last(run: RunRecord) -> float:
    score = run["scores"]["last"]
    assert score is not None
    return score


if __name__ == "__main__":
    main()
