"""What tells the data of a problem from other data: the same in every process and in every run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Union

import torch
from torch import Tensor

from isthmus.cache import digest
from isthmus.data.pixelwise import PixelLabels
from isthmus.data.problems import Problem
from isthmus.data.samples import MappedSamples, Samples, in_order
from isthmus.data.tasks import Labels

DRAWN = 64
"""Samples that are looked at of a collection that is not all in memory."""
LENGTH = 16
"""Hexadecimal digits of a digest."""

Truth = Union[Labels, PixelLabels, None]


def data_digests(problem: Problem) -> dict[str, str]:
    """A digest of the samples and labels of each domain and each exam, by its number and name.

    What lies in memory counts with its content, image files that do not with their place, size and time of change. Of
    other collections the tensors that they are made of count, and some samples, drawn the same way every time.
    """
    known: dict[int, str] = {}
    found = {
        f"domain {number} ({domain.name})": _digest(domain.samples, known, domain.labels, domain.pixels)
        for number, domain in enumerate(problem.domains, start=1)
    }
    found |= {
        f"exam {number} ({exam.name})": _digest(exam.samples, known, exam.truth)
        for number, exam in enumerate(problem.exams, start=1)
    }
    return found | ({"oracle": digest(_labels(problem.oracle))[:LENGTH]} if problem.oracle else {})


def _digest(samples: Samples, known: dict[int, str], *truths: Truth) -> str:
    parts = [_of_samples(samples, known), *(part for truth in truths for part in _labels(truth))]
    return digest(parts)[:LENGTH]


def _of_samples(samples: Samples, known: dict[int, str]) -> str:
    """Each collection is looked at once, as several may be parts of it."""
    if id(samples) not in known:
        known[id(samples)] = digest(_parts(samples, known))
    return known[id(samples)]


def _parts(samples: Samples, known: dict[int, str]) -> Iterator[Tensor | str]:
    yield str(len(samples))
    if isinstance(samples, MappedSamples) and (files := _files(samples)):
        yield from files
        return
    for name, value in sorted(getattr(samples, "__dict__", {}).items()):
        if isinstance(value, Tensor):
            yield name
            yield value
        elif hasattr(value, "read") and hasattr(value, "__len__"):
            yield name
            yield _of_samples(value, known)
    number = min(len(samples), DRAWN)
    drawn = torch.arange(number) * len(samples) // number
    yield from (part for _, part in in_order(samples, drawn))


def _files(samples: MappedSamples) -> list[str]:
    """Place, size and time of change of each sample's file; nothing where they are no files."""
    found = []
    for path in map(Path, samples.names):
        if not path.is_file():
            return []
        state = path.stat()
        found.append(f"{path.resolve()} {state.st_size} {state.st_mtime_ns}")
    return found


def _labels(truth: Truth) -> Iterator[Tensor | str]:
    if isinstance(truth, Labels):
        yield repr(truth.task)
        yield truth.values
    elif isinstance(truth, PixelLabels):
        for task, values in truth.values.items():
            yield repr(task)
            yield values
