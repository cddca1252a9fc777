"""What the report shows of networks that complete or generate images: what was given, and what they made of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from isthmus.data.inputs import ImageInput
from isthmus.data.problems import Problem
from isthmus.data.samples import Samples
from isthmus.data.splits import shuffled
from isthmus.data.tasks import Completion, ImageTask
from isthmus.evaluation.completion import completions
from isthmus.evaluation.generation import generated, network_inputs
from isthmus.evaluation.views import write_arrays
from isthmus.names import MADE
from isthmus.nn.autoencoder import AutoEncoder
from isthmus.nn.gans import Generator

PICTURES = 8
"""Of each domain."""


def write_image_views(path: Path, networks: Sequence[object], problem: Problem) -> None:
    """Write pictures (domains, pictures, height, width, 3) of bytes: what is given, by title, and `made`.

    The same exam images (training images without an exam) for every method, or images from the same noise.
    """
    input = problem.input
    assert isinstance(input, ImageInput)
    found: dict[str, list[Tensor]] = {}
    for network, (domain, exam) in zip(networks, problem.measured):
        assert domain.task is not None
        for title, images in _shown(network, (exam or domain).samples, input, domain.task).items():
            found.setdefault(title, []).append(_bytes(images))
    fewest = min(len(images) for parts in found.values() for images in parts)
    write_arrays(
        path,
        {title: torch.stack([images[:fewest] for images in parts]).numpy() for title, parts in found.items()},
    )


def _shown(network: object, samples: Samples, input: ImageInput, task: ImageTask) -> dict[str, Tensor]:
    indices = shuffled(len(samples))[:PICTURES]
    if isinstance(task, Completion):
        assert isinstance(network, AutoEncoder)
        ((whole, holed, completed),) = completions(network, samples, input, task, indices=indices)
        return {"image": whole, "with hole": holed, MADE: completed}
    assert isinstance(network, Generator)
    real = network_inputs(samples, input, indices)
    return {"real": real, MADE: generated(network, PICTURES)}


def _bytes(images: Tensor) -> Tensor:
    """Values from -1 to 1 as pictures, (images, height, width, 3)."""
    scaled = ((images.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)
    return scaled.expand(-1, 3, -1, -1).permute(0, 2, 3, 1)
