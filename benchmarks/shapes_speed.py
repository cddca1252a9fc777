"""How many scenes a second are drawn, with all their labels, in both looks.

    python benchmarks/shapes_speed.py [--scenes 256] [--size 64] [--threads 1]

Wall-clock time says what a person waits, processor time what the drawing costs where others share the machine. Scenes
are drawn a few at a time, in arrays that fit a processor's cache: processes of one thread each use more cores better.
"""

from __future__ import annotations

import argparse
import time

import torch
from rich.console import Console
from rich.table import Table

from isthmus.data.shapes import REAL, SYNTHETIC, render


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scenes", type=int, default=256)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    table = Table(title=f"{options.scenes} scenes of {options.size}×{options.size} pixels, {options.threads} threads")
    for heading in ("look", "scenes/s", "scenes/min", "ms of processor time a scene"):
        table.add_column(heading, justify="left" if heading == "look" else "right")
    for name, look in {"synthetic": SYNTHETIC, "real": REAL}.items():
        render(torch.arange(16), look=look, size=options.size)  # warms up
        wall, processor = time.perf_counter(), time.process_time()
        render(torch.arange(options.scenes), look=look, size=options.size)
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
        rate = options.scenes / wall
        table.add_row(name, f"{rate:.0f}", f"{60 * rate:.0f}", f"{1000 * processor / options.scenes:.1f}")
    Console().print(table)


if __name__ == "__main__":
    main()
