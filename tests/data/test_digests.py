"""Other data has other digests, the same data the same ones, in this process and in another."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import torch
from small_problems import images_problem, joint_problem, pixels_problem
from torch import Tensor

import isthmus
from isthmus.data.benchmarks import load_problem
from isthmus.data.digests import data_digests
from isthmus.data.problems import Problem
from isthmus.data.samples import ArraySamples, ColourJitter, MappedSamples, Subset

BUILT_IN = ("digits-photo", "digits-looks", "digits-others", "digits-completion")


def source_digest(problem: Problem, samples: object) -> str:
    domain = replace(problem.source, samples=samples)  # type: ignore[arg-type]
    return next(iter(data_digests(replace(problem, domains=(domain, *problem.domains[1:]))).values()))


def pixels(problem: Problem) -> Tensor:
    return problem.source.samples.read(torch.arange(24), torch.Generator()).clone()


def test_every_domain_and_exam_has_one() -> None:
    assert list(data_digests(images_problem())) == ["domain 1 (plain)", "domain 2 (inverted)", "exam 1 (inverted)"]
    assert len(data_digests(joint_problem())) == 6
    assert list(data_digests(pixels_problem()))[-1] == "oracle"
    assert data_digests(pixels_problem()) == data_digests(pixels_problem())


def test_one_pixel_of_one_sample_counts_however_it_is_read() -> None:
    problem = pixels_problem()
    before = pixels(problem)
    after = before.clone()
    after[7, 0, 3, 3] += 1
    order = torch.arange(24)
    for made in (
        ArraySamples,
        lambda values: Subset(ArraySamples(values), order),
        lambda values: ColourJitter(Subset(ArraySamples(values), order)),
    ):
        assert source_digest(problem, made(before)) == source_digest(problem, made(before.clone()))
        assert source_digest(problem, made(before)) != source_digest(problem, made(after))
    other_order = Subset(ArraySamples(before), order.flip(0))
    assert source_digest(problem, other_order) != source_digest(problem, Subset(ArraySamples(before), order))


def test_labels_count_and_so_do_their_names() -> None:
    problem = pixels_problem()
    assert problem.source.pixels is not None
    for task, values in problem.source.pixels.values.items():
        changed = values.clone()
        changed[3] = changed[4]
        labels = isthmus.PixelLabels({**problem.source.pixels.values, task: changed})
        other = replace(problem, domains=(replace(problem.source, pixels=labels), problem.target))
        differing = [name for name, found in data_digests(other).items() if found != data_digests(problem)[name]]
        assert differing == ["domain 1 (plain)"]


def test_files_out_of_memory_are_told_by_place_size_and_time_of_change(tmp_path: Path) -> None:
    problem = images_problem()
    stored, paths = pixels(problem), [tmp_path / f"{number}.png" for number in range(24)]
    for path in paths:
        path.write_bytes(b"some bytes")
        os.utime(path, (1, 1))

    def load(index: int) -> Tensor:
        assert index == 0, "a problem looks at one sample, nothing else is decoded again"
        return stored[index]

    samples = MappedSamples(24, load, names=[str(path) for path in paths])
    before = source_digest(problem, samples)
    assert source_digest(problem, samples) == before
    os.utime(paths[5], (1, 2))
    later = source_digest(problem, samples)
    paths[5].write_bytes(b"other bytes")
    os.utime(paths[5], (1, 2))
    larger = source_digest(problem, samples)
    paths[5].rename(tmp_path / "elsewhere.png")
    moved = [str(tmp_path / "elsewhere.png") if path == paths[5] else str(path) for path in paths]
    assert len({before, later, larger, source_digest(problem, MappedSamples(24, load, names=moved))}) == 4


def test_what_is_computed_is_told_by_what_is_drawn() -> None:
    problem = images_problem()
    stored = pixels(problem)
    digests = [
        source_digest(problem, MappedSamples(24, lambda index, values=values: values[index]))  # type: ignore[misc]
        for values in (stored, stored.clone(), stored.flip(0))
    ]
    assert digests[0] == digests[1] != digests[2]


def test_built_in_problems_are_the_same_in_another_process() -> None:
    script = (
        "import json; from isthmus.data.benchmarks import load_problem; from isthmus.data.digests import data_digests; "
        f"print(json.dumps([data_digests(load_problem(name)) for name in {BUILT_IN}]))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True)
    assert json.loads(done.stdout) == [data_digests(load_problem(name)) for name in BUILT_IN]
