"""Whether joint learning links like domains: weights and links within groups of domains, and between them.

Of every run of `joint_irls` in a folder the weights that were last in force, block by block, and their means over seeds
drawn as in the report:

    python benchmarks/social_network.py OUT --groups bird,cat,dog,deer,horse airplane,automobile,truck --figure x.svg
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

from isthmus.report.results import read_findings, read_results, statistic
from isthmus.report.sharing import Sharing, links, neighbours, network_plot
from isthmus.report.tables import plain


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--groups", nargs="+", required=True, help="domains that are alike, parted by commas")
    parser.add_argument("--figure", type=Path, help="where to draw the links of the mean weights")
    options = parser.parse_args()

    results = read_results(options.out)
    domains = [domain["name"] for domain in results["problem"]["domains"]]
    groups = [[domains.index(name) for name in group.split(",")] for group in options.groups]
    runs = [run for run in results["runs"] if run["method"].startswith("joint_irls")]
    found = [Sharing.read(read_findings(options.out / run["folder"]), domains) for run in runs]
    seen = [sharing for sharing in found if sharing is not None]
    if not seen:
        parser.error(f"Expected runs of `joint_irls` that have set weights in `{options.out}`, but got none.")
    last = np.stack([sharing.weightings[-1] for sharing in seen])

    alike = np.zeros((len(domains), len(domains)), dtype=bool)
    for i, j in (pair for group in groups for pair in combinations(group, 2)):
        alike[i, j] = True
    pairs = np.triu(np.ones_like(alike), 1)
    by_chance = alike.sum() / pairs.sum()
    table = Table("block", "weight, like", "weight, unlike", "like links of all", f"by chance {by_chance:.0%}")
    for block in range(last.shape[1]):
        weights = last[:, block]
        linked = [links(each, neighbours(len(domains))) for each in weights]
        right = sum(alike[pair] for each in linked for pair in each)
        count = sum(map(len, linked))
        common = seen[0].weightings[0][block] > 0  # who has such a block
        parts = [weights[:, those & common] for those in (alike, pairs & ~alike)]
        means = [plain(statistic(float(row.mean()) for row in part if row.size)) for part in parts]
        table.add_row(seen[0].title(block), *means, f"{right} of {count}", f"{right / count:.0%}")
    console = Console()
    console.print(table)
    console.print(f"Seeds: {len(seen)}. The last weighting of each.")
    if options.figure:
        mean = replace(seen[0], weightings=last.mean(axis=0)[None])
        options.figure.write_text(network_plot(mean), encoding="utf-8")


if __name__ == "__main__":
    main()
