"""How much of the gap from MNIST to USPS is the frame: models of a comparison, measured on USPS digits made smaller.

A USPS digit fills its image, an MNIST digit leaves a margin of four pixels. Here the exam's digits are shrunk, framed
in black, and measured again by the models that were trained on the plain images.

    python benchmarks/usps_framing.py OUT --data-root DIR     (OUT: folder of `isthmus compare mnist-usps --out OUT`)
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.nn.functional import interpolate, pad

import isthmus
from isthmus.data.samples import ArraySamples
from isthmus.report.results import read_results

SIDE = 28


def framed(images: Tensor, side: int) -> Tensor:
    """Images (n, 1, 28, 28) with their content shrunk to `side` pixels in the middle of a black frame."""
    if side == SIDE:
        return images
    small = interpolate(images.float(), size=(side, side), mode="bilinear", antialias=True)
    margin = (SIDE - side) // 2
    return pad(small.round().clamp(0, 255), (margin, SIDE - side - margin) * 2).to(torch.uint8)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--data-root", type=Path)
    parser.add_argument("--sides", type=int, nargs="+", default=[28, 24, 20])
    options = parser.parse_args()

    problem = isthmus.load_problem("mnist-usps", options.data_root)
    exam = problem.exam
    assert exam is not None
    images = exam.samples.read(torch.arange(len(exam.samples)), torch.Generator())
    found: dict[str, list[list[float]]] = {}
    for run in read_results(options.out)["runs"]:
        model = isthmus.load(options.out / run["folder"] / "last")
        predicted = [model.predict(ArraySamples(framed(images, side))).argmax(dim=1) for side in options.sides]
        scores = [100 * (classes == exam.labels.values).double().mean().item() for classes in predicted]
        found.setdefault(run["method"], []).append(scores)

    table = Table("method", *(f"digit of {side} pixels" for side in options.sides), title="accuracy %, mean over seeds")
    for method, seeds in found.items():
        means = torch.tensor(seeds).mean(dim=0).tolist()
        table.add_row(method, *(f"{mean:.1f}" for mean in means))
    Console().print(table)


if __name__ == "__main__":
    main()
