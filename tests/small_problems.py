"""Small problems that every method can be trained on in a moment."""

from __future__ import annotations

from collections.abc import Callable

import torch

from isthmus.data.inputs import ImageInput, VectorInput
from isthmus.data.problems import Domain, Exam, Problem
from isthmus.data.recipes import Recipe
from isthmus.data.samples import ArraySamples
from isthmus.data.tasks import Classification, Labels
from isthmus.methods.registry import method_entries

Command = Callable[..., tuple[int, str, str]]
"""Runs the command line in an empty folder; returns its exit code, standard output and standard error."""

METHODS = tuple(entry.name for entry in method_entries() if entry.setting == "unsupervised")
"""Every registered method of the unsupervised setting; a new one is tested as soon as it is registered."""

RECIPE = Recipe(epochs=4, batch_size=8, lr=0.05, evaluations=4)


def images_problem(recipe: Recipe = RECIPE, samples: int = 24) -> Problem:
    """Grey 16×16 images of three classes: a bright row, whose place is the class; the target is inverted and noisy."""
    random = torch.Generator().manual_seed(0)
    labels = torch.arange(samples) % 3
    source = torch.zeros(samples, 1, 16, 16)
    source[torch.arange(samples), 0, 3 + 5 * labels] = 1
    target = (1 - source) * 0.8 + 0.2 * torch.rand(source.shape, generator=random)
    task = Classification(("top", "middle", "bottom"))
    stored = [ArraySamples((part * 255).to(torch.uint8)) for part in (source, target)]
    return Problem(
        name="rows",
        domains=(Domain("plain", stored[0], Labels(task, labels)), Domain("inverted", stored[1])),
        input=ImageInput.plain(1, 16),
        backbone="digits:dropout=0",
        recipe=recipe,
        exam=Exam("inverted", stored[1], Labels(task, labels), transductive=True),
    )


def vectors_problem(recipe: Recipe = RECIPE, samples: int = 96) -> Problem:
    """Two Gaussian classes in eight dimensions; the target is moved by one unit in every direction."""
    random = torch.Generator().manual_seed(0)
    labels = torch.arange(samples) % 2
    centres = torch.tensor([[-1.0], [1.0]]).expand(2, 8)
    source = centres[labels] + torch.randn(samples, 8, generator=random)
    target = centres[labels] + torch.randn(samples, 8, generator=random) + 1
    task = Classification(("low", "high"))
    return Problem(
        name="gaussians",
        domains=(Domain("here", ArraySamples(source), Labels(task, labels)), Domain("there", ArraySamples(target))),
        input=VectorInput.standardising(source),
        backbone="mlp:hidden=16",
        recipe=recipe,
        exam=Exam("there", ArraySamples(target), Labels(task, labels), transductive=True),
    )
