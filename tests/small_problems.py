"""Small problems that every method can be trained on in a moment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import torch

from isthmus.data.inputs import ImageInput, VectorInput
from isthmus.data.loaders import batches, steps_per_epoch
from isthmus.data.pixelwise import PixelLabels, Segmentation, SurfaceNormals
from isthmus.data.problems import Domain, Exam, Problem
from isthmus.data.recipes import Recipe
from isthmus.data.samples import ArraySamples, MappedSamples, Samples, Subset
from isthmus.data.tasks import Classification, Completion, Generation, ImageTask, Labels
from isthmus.methods.registry import method_entries, method_entry

Command = Callable[..., tuple[int, str, str]]
"""Runs the command line in an empty folder; returns its exit code, standard output and standard error."""

METHODS = (
    *(entry.name for entry in method_entries()),
    "dann+entropy",
    "symnets+dfa",
    "dann+dfa:tied=false",
    "source_only+dfa:affine=true",
    "source_only+entropy:features_only=true",
    "mcd+dfa:align=latents_and_images",
    "joint_irls:order=together",
    "jtln:start=0,detach_target=true",
    "baseline+feature_adversary:depths=layer-3/up-3/out,noise=0,hidden=4,start=0,weight=1",
    "headfreeze+output_adversary:noise=0,width=2,start=0,weight=1",
)
"""Every registered method, tested as soon as it is registered, and some with options and terms."""

RECIPE = Recipe(epochs=4, batch_size=8, lr=0.05, evaluations=4)


def images_problem(recipe: Recipe = RECIPE, samples: int = 24) -> Problem:
    """Grey 16×16 images of three classes: a bright row, whose place is the class; the target is inverted and noisier.

    The source is noisy too: on a flat background, rounding would decide where a pooling layer's maximum lies.
    """
    random = torch.Generator().manual_seed(0)
    labels = torch.arange(samples) % 3
    rows = torch.zeros(samples, 1, 16, 16)
    rows[torch.arange(samples), 0, 3 + 5 * labels] = 1
    source = rows * 0.9 + 0.1 * torch.rand(rows.shape, generator=random)
    target = (1 - rows) * 0.8 + 0.2 * torch.rand(rows.shape, generator=random)
    task = Classification(("top", "middle", "bottom"))
    stored = [ArraySamples((part * 255).to(torch.uint8)) for part in (source, target)]
    return Problem(
        name="rows",
        domains=(Domain("plain", stored[0], Labels(task, labels)), Domain("inverted", stored[1])),
        input=ImageInput.plain(1, 16),
        backbone="digits:dropout=0",
        recipe=recipe,
        exams=(Exam("inverted", stored[1], Labels(task, labels), transductive=True),),
    )


def other_classes_problem(recipe: Recipe = RECIPE, samples: int = 24) -> Problem:
    """The source of `images_problem`; in the target, two classes of bright columns, labelled."""
    plain = images_problem(recipe, samples)
    random = torch.Generator().manual_seed(1)
    labels = torch.arange(samples) % 2
    columns = torch.zeros(samples, 1, 16, 16)
    columns[torch.arange(samples), 0, :, 4 + 8 * labels] = 1
    columns = columns * 0.9 + 0.1 * torch.rand(columns.shape, generator=random)
    stored, known = ArraySamples((columns * 255).to(torch.uint8)), Labels(Classification(("left", "right")), labels)
    return replace(
        plain,
        name="columns",
        domains=(plain.source, Domain("upright", stored, known)),
        exams=(Exam("upright", stored, known),),
    )


def pixels_problem(recipe: Recipe = RECIPE, samples: int = 24, side: int = 64) -> Problem:
    """Noise with blocks of three greys; a block's grey decides its class and its normal. The target is inverted."""
    random = torch.Generator().manual_seed(0)
    greys = torch.tensor([0.2, 0.5, 0.8])
    directions = torch.tensor([[0.8, 0.0, -0.6], [0.0, 0.6, -0.8], [-0.6, -0.8, 0.0]])
    blocks = torch.randint(3, (2, samples, side // 8, side // 8), generator=random)
    classes = blocks.repeat_interleave(8, 2).repeat_interleave(8, 3)
    images = greys[classes] + 0.1 * torch.rand(classes.shape, generator=random)
    images[1] = 1 - images[1]
    stored = (images[:, :, None].expand(-1, -1, 3, -1, -1) * 255).to(torch.uint8)
    known = torch.rand(classes.shape, generator=random) < 0.8
    normals = directions[classes].permute(0, 1, 4, 2, 3).masked_fill(~known[:, :, None], torch.nan)
    labels = classes.masked_fill(~known, 255)
    main, anchor = SurfaceNormals(), Segmentation(("dark", "grey", "light"))
    source, target = (ArraySamples(part) for part in stored)
    return Problem(
        name="blocks",
        domains=(
            Domain("plain", source, pixels=PixelLabels({main: normals[0], anchor: labels[0]})),
            Domain("inverted", target, pixels=PixelLabels({anchor: labels[1]})),
        ),
        input=ImageInput.plain(3, side),
        backbone="pyramid:width=8,decoder=8",
        recipe=recipe,
        exams=(Exam("inverted", target, PixelLabels({main: normals[1], anchor: labels[1]})),),
        oracle=PixelLabels({main: normals[1]}),
    )


def joint_problem(recipe: Recipe = RECIPE, samples: int = 24) -> Problem:
    """Rows, columns and rows again, inverted: three domains, two of the same classes, of which one has fewer images."""
    rows, columns = images_problem(recipe, samples), other_classes_problem(recipe, samples - 8)
    assert rows.exam is not None
    domains = (rows.source, columns.target, replace(rows.target, labels=rows.exam.labels))
    exams = tuple(Exam(d.name, d.samples, d.labels, transductive=True) for d in domains if d.labels)
    return replace(rows, name="rows-and-columns", domains=domains, exams=exams)


def images_task_problem(task: ImageTask, backbone: str, recipe: Recipe = RECIPE, samples: int = 24) -> Problem:
    """The images of `joint_problem` without their labels, to be completed or generated."""
    labelled = joint_problem(replace(recipe, optimizer="adam", lr=1e-3), samples)
    return replace(
        labelled,
        name="rows-and-columns-unlabelled",
        domains=tuple(Domain(domain.name, domain.samples, task=task) for domain in labelled.domains),
        backbone=backbone,
        exams=tuple(Exam(exam.name, exam.samples) for exam in labelled.exams),
    )


IMAGE_PROBLEMS = {
    "autoencoder": partial(images_task_problem, Completion(5), "autoencoder:width=2"),
    "dcgan": partial(images_task_problem, Generation(), "dcgan:width=2,latent=3"),
    "began": partial(images_task_problem, Generation(), "began:width=2,latent=3"),
}
"""Problems without labels, by the kind of their networks."""

IMAGE_RUNS = {f"{method}-{kind}": (method, kind) for kind in IMAGE_PROBLEMS for method in ("joint_irls", "share_all")}
"""Methods and problems without labels, by the names that tests have for the two together."""

POLICIES = [
    *((name, batch_norm) for name in METHODS for batch_norm in ("separate", "joint")),
    *((name, "separate") for name in IMAGE_RUNS),
]
"""All of these, each under every batch-norm policy that it can train under from scratch."""


def method_and_problem(name: str, recipe: Recipe = RECIPE) -> tuple[str, Problem]:
    """Of a name in `METHODS` or `IMAGE_RUNS`, with the recipe as it is."""
    if name in METHODS:
        return name, problem_for(name, recipe)
    method, kind = IMAGE_RUNS[name]
    return method, replace(IMAGE_PROBLEMS[kind](), recipe=recipe)


def problem_for(method: str, recipe: Recipe = RECIPE) -> Problem:
    """A small problem of images, of the method's setting."""
    problems = {
        "unsupervised": images_problem,
        "inductive": other_classes_problem,
        "joint": joint_problem,
        "assisted": pixels_problem,
    }
    return problems[method_entry(method).setting](recipe)


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
        exams=(Exam("there", ArraySamples(target), Labels(task, labels), transductive=True),),
    )


def one_batch(method: str = "source_only") -> Any:
    """The first batch of `problem_for` a method."""
    return some_batches(method)[0]


def some_batches(method: str) -> list[Any]:
    """Those of the first epoch of `problem_for` a method: of every domain, where domains take turns."""
    problem = problem_for(method)
    return list(batches(problem, seed=0, start=0, stop=steps_per_epoch(problem), oracle=method.startswith("oracle")))


def names_of(samples: Samples) -> tuple[str, ...]:
    """What each sample is called: the path of its file where it has one."""
    if isinstance(samples, Subset):
        names = names_of(samples.samples)
        return tuple(names[index] for index in samples.indices.tolist())
    assert isinstance(samples, ArraySamples | MappedSamples)
    return samples.names
