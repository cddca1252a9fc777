"""How near generated images are to real ones, and whether they are copies of those that were trained on."""

from __future__ import annotations

from contextlib import nullcontext

import torch
from torch import Tensor

from isthmus.data.inputs import ImageInput
from isthmus.data.samples import Samples, in_order
from isthmus.data.tasks import Generation
from isthmus.evaluation.inference import BATCH, Precision, finite
from isthmus.functional.frechet import frechet_distance
from isthmus.functional.scattering import scattering
from isthmus.nn.gans import Generator

MOST = 500
"""Images that are generated, and most real ones that their features are compared with."""
LOOKED_UP = 250
"""Images whose nearest training images are looked for."""
COMPARED = 1000
"""Training images that they are compared with at a time."""


@torch.no_grad()
def generated(network: Generator, number: int, *, seed: int = 0, precision: Precision = nullcontext) -> Tensor:
    """Images (number, channels, height, width) from -1 to 1, on the CPU; the same for the same seed.

    Puts the network into evaluation mode.
    """
    network.eval()
    noise = network.noise(number, torch.Generator().manual_seed(seed))
    images = []
    for part in noise.split(BATCH):
        with precision():
            images.append(network(part).float().cpu())
    return finite(torch.cat(images)).clamp(-1, 1)


def generation_errors(images: Tensor, real: Tensor, training: Tensor) -> dict[str, float]:
    r"""The Fréchet distance of generated images to real ones, and how new they are.

    $$\text{novelty} = \frac{\operatorname{median}_i \min_k \lVert g_i - t_k \rVert}
    {\operatorname{median}_j \min_k \lVert x_j - t_k \rVert}$$

    over generated images g, real ones x that were not trained on, and all t that were. Copies of training images are
    at 0; 1 is as new as real images; beyond 1 they are less like the training images than real ones are.

    The distance is that of features which nothing was trained for (`functional.scattering`): they are the same for all
    methods and everywhere, need no labels, and favour no method's data.

    Args:
        images: generated, (n, channels, height, width).
        real: of the domain, held out of training.
        training: of the domain.
    """
    found, usual = (nearest(those[:LOOKED_UP], training).median() for those in (images, real))
    near, new = Generation.metrics
    return {near.name: distance(images, real), new.name: (found / usual.clamp(min=1e-12)).item()}


def distance(images: Tensor, real: Tensor) -> float:
    """The Fréchet distance of generated to real images, as many as there are of the fewer."""
    number = min(len(images), len(real))
    return frechet_distance(scattering(images[:number]), scattering(real[:number])).item()


def nearest(images: Tensor, others: Tensor) -> Tensor:
    """The Euclidean distance of each image to the nearest of some others, (images,), in double precision."""
    rows = images.flatten(1).double()
    parts = others.flatten(1).split(COMPARED)
    return torch.stack([torch.cdist(rows, part.double()).amin(dim=1) for part in parts]).amin(dim=0)


def network_inputs(samples: Samples, input: ImageInput, indices: Tensor | None = None) -> Tensor:
    """Samples as networks see them in evaluation, all or those at some indices."""
    return torch.cat([input.evaluate(stored) for _, stored in in_order(samples, indices)])
