"""Settings and methods compared on the validation split of `shapes`, never on its exam.

Equal or shifted poses, how batches are normalised, where a discriminator looks, what of the real look there is:

python benchmarks/shapes_settings.py --epochs 12 --methods baseline mtl_both headfreeze headfreeze:converge=0.7
python benchmarks/shapes_settings.py --methods baseline baseline+feature_adversary --real azimuth=25 texture=0
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from rich.console import Console

import isthmus
from isthmus.data.benchmarks.shapes import shapes
from isthmus.data.shapes import REAL
from isthmus.names import BatchNormPolicy
from isthmus.report.metrics import metric_table
from isthmus.report.tables import summary_table


def changed(text: str) -> tuple[str, Any]:
    """An attribute of `Look` and its value: a number, or `none`."""
    name, _, value = text.partition("=")
    return name, None if value == "none" else int(value) if name == "lights" else float(value)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shifted", action="store_true", help="other poses in the target")
    parser.add_argument("--methods", nargs="+", default=["baseline", "mtl_both", "headfreeze"])
    parser.add_argument("--main", nargs="+", default=["normals"])
    parser.add_argument("--anchors", nargs="+", default=["segmentation"])
    parser.add_argument("--batch-norm", choices=get_args(BatchNormPolicy), default="joint")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--real", nargs="*", type=changed, default=[], metavar="NAME=VALUE", help="of `Look`")
    options = parser.parse_args()

    problem = shapes(
        shifted=options.shifted,
        main=tuple(options.main),
        anchors=tuple(options.anchors),
        measured_on="validation",
        real=replace(REAL, **dict(options.real)),
    )
    recipe = replace(
        problem.recipe, batch_norm=options.batch_norm, epochs=options.epochs, evaluations=max(options.epochs // 4, 1)
    )
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "out")
        comparison = isthmus.compare(options.methods, problem, recipe=recipe, seeds=options.seeds, out=out)
        Console().print(summary_table(comparison.results), metric_table(comparison.results))


if __name__ == "__main__":
    main()
