"""How many images of a problem's exams are, byte for byte, among those that are trained on.

    python benchmarks/repeated_images.py joint-digits mnist-generation --data-root DIR

Of an unlabelled target that is its own exam all are, and such results are called transductive.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import isthmus
from isthmus.data.loaders import in_order
from isthmus.data.samples import Samples


def contents(samples: Samples) -> Iterator[bytes]:
    for _, stored in in_order(samples):
        yield from (image.numpy().tobytes() for image in stored)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("problems", nargs="+")
    parser.add_argument("--data-root", type=Path)
    options = parser.parse_args()

    print("| problem | domain | exam | also trained on | training images | distinct |")
    print("| --- | --- | ---: | ---: | ---: | ---: |")
    for name in options.problems:
        problem = isthmus.load_problem(name, options.data_root)
        for domain, exam in problem.measured:
            if exam is not None:
                trained_on = set(contents(domain.samples))
                repeated = sum(image in trained_on for image in contents(exam.samples))
                cells = (name, domain.name, len(exam.samples), repeated, len(domain.samples), len(trained_on))
                print(f"| {' | '.join(map(str, cells))} |")


if __name__ == "__main__":
    main()
