"""How much of the gap from MNIST to USPS is the frame: models of a comparison, measured on USPS digits made smaller.

A USPS digit fills its image, an MNIST digit leaves a margin of four pixels. Here the exam's digits are shrunk, framed
in black, and measured again by the models that were trained on the plain images.

    python benchmarks/usps_framing.py OUT --data-root DIR     (OUT: folder of `isthmus compare mnist-usps --out OUT`)

With `--train`, methods are trained on the framed target as well, by MCD's recipe or by DFA-ENT's:

    python benchmarks/usps_framing.py OUT --data-root DIR --sides 20 --train mcd
    python benchmarks/usps_framing.py OUT --data-root DIR --sides 20 --train dfa_ent --recipe sgd
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.nn.functional import interpolate, pad

import isthmus
from isthmus.data.problems import Problem
from isthmus.data.samples import ArraySamples, Samples
from isthmus.report.results import read_results
from isthmus.report.tables import summary_table

SIDE = 28
CONSTANT = isthmus.Recipe(schedule="constant", weight_decay=5e-4)
RECIPES = {
    "adam": replace(CONSTANT, epochs=200, batch_size=128, optimizer="adam", lr=2e-4),
    "sgd": replace(CONSTANT, epochs=400, batch_size=256, optimizer="sgd", lr=0.02),
}


def framed(images: Tensor, side: int) -> Tensor:
    """Images (n, 1, 28, 28) with their content shrunk to `side` pixels in the middle of a black frame."""
    if side == SIDE:
        return images
    small = interpolate(images.float(), size=(side, side), mode="bilinear", antialias=True)
    margin = (SIDE - side) // 2
    return pad(small.round().clamp(0, 255), (margin, SIDE - side - margin) * 2).to(torch.uint8)


def framed_problem(problem: Problem, side: int) -> Problem:
    """`mnist-usps` with the target framed, in training and exam alike."""
    assert problem.exam is not None
    target, exam = problem.target, problem.exam
    return replace(
        problem,
        name=f"mnist-usps, digit of {side} pixels",
        domains=(problem.source, replace(target, samples=ArraySamples(framed(_all(target.samples), side)))),
        exams=(replace(exam, samples=ArraySamples(framed(_all(exam.samples), side))),),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--data-root", type=Path)
    parser.add_argument("--sides", type=int, nargs="+", default=[28, 24, 20])
    parser.add_argument("--train", nargs="+", metavar="METHOD")
    parser.add_argument("--recipe", choices=RECIPES, default="adam")
    parser.add_argument("--seeds", type=int, default=1)
    options = parser.parse_args()

    problem = isthmus.load_problem("mnist-usps", options.data_root)
    if options.train:
        for side in options.sides:
            out, framing, recipe = options.out / str(side), framed_problem(problem, side), RECIPES[options.recipe]
            done = isthmus.compare(
                options.train, framing, recipe=recipe, seeds=options.seeds, out=out, resume=out.exists()
            )
            Console().print(summary_table(done.results))
    else:
        measure(options.out, problem, options.sides)


def measure(out: Path, problem: Problem, sides: list[int]) -> None:
    """Print the accuracy of a comparison's models on the exam's digits, framed."""
    exam = problem.exam
    assert exam is not None
    images = _all(exam.samples)
    found: dict[str, list[list[float]]] = {}
    for run in read_results(out)["runs"]:
        model = isthmus.load(out / run["folder"] / "last")
        predicted = [model.predict(ArraySamples(framed(images, side))).argmax(dim=1) for side in sides]
        scores = [100 * (classes == exam.labels.values).double().mean().item() for classes in predicted]
        found.setdefault(run["method"], []).append(scores)

    table = Table("method", *(f"digit of {side} pixels" for side in sides), title="accuracy %, mean over seeds")
    for method, seeds in found.items():
        means = torch.tensor(seeds).mean(dim=0).tolist()
        table.add_row(method, *(f"{mean:.1f}" for mean in means))
    Console().print(table)


def _all(samples: Samples) -> Tensor:
    return samples.read(torch.arange(len(samples)), torch.Generator())


if __name__ == "__main__":
    main()
