"""Settings compared on the validation split of `digits-photo`, never on its exam.

How strong its shift should be, how a kernel mean is estimated, how batches are normalised:

python benchmarks/digits_photo_settings.py --background 0.35 --darkest 0.2 --seeds 3
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import get_args

from rich.console import Console

import isthmus
from isthmus.data.benchmarks.digits_photo import BACKGROUND, DARKEST, digits_photo
from isthmus.data.recipes import Recipe
from isthmus.names import BatchNormPolicy
from isthmus.report.tables import summary_table


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--background", type=float, default=BACKGROUND)
    parser.add_argument("--darkest", type=float, default=DARKEST)
    parser.add_argument("--methods", nargs="+", default=["source_only", "dann", "symnets"])
    parser.add_argument("--batch-norm", choices=get_args(BatchNormPolicy), default=Recipe().batch_norm)
    parser.add_argument("--seeds", type=int, default=1)
    options = parser.parse_args()

    problem = digits_photo(measured_on="validation", background=options.background, darkest=options.darkest)
    problem = replace(problem, recipe=replace(problem.recipe, batch_norm=options.batch_norm))
    with tempfile.TemporaryDirectory() as folder:
        comparison = isthmus.compare(options.methods, problem, seeds=options.seeds, out=Path(folder, "out"))
        Console().print(summary_table(comparison.results))


if __name__ == "__main__":
    main()
