"""What every method of a comparison made of one domain's images, as the report draws it.

OUT is of `isthmus compare mnist-generation --out OUT` or of another problem of images without labels:

    python benchmarks/image_grid.py OUT mnist grid.svg
"""

from __future__ import annotations

import argparse
from pathlib import Path

from isthmus.report.images import image_grid, read_image_views
from isthmus.report.results import by_method, read_results


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("domain")
    parser.add_argument("figure", type=Path)
    options = parser.parse_args()

    results = read_results(options.out)
    domains = [domain["name"] for domain in results["problem"]["domains"]]
    if options.domain not in domains:
        parser.error(f"Expected one of {', '.join(domains)}, but got {options.domain!r}.")
    groups = by_method(results["runs"])
    views = {method: read_image_views(options.out / runs[0]["folder"]) for method, runs in groups.items()}
    options.figure.write_text(image_grid(views, domains.index(options.domain)), encoding="utf-8")


if __name__ == "__main__":
    main()
