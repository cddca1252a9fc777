"""How well images are completed, and what it looks like."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import nullcontext

import torch
from torch import Tensor

from isthmus.data.inputs import ImageInput
from isthmus.data.samples import Samples, in_order
from isthmus.data.tasks import Completion
from isthmus.evaluation.inference import Precision, finite
from isthmus.functional.holes import with_hole
from isthmus.nn.autoencoder import AutoEncoder


def holes(samples: Samples, input: ImageInput, task: Completion) -> Tensor:
    """Where the hole of each sample of an exam is, (samples, 2): always the same."""
    return task.corners(len(samples), input.size, torch.Generator().manual_seed(0))


@torch.no_grad()
def completions(
    network: AutoEncoder,
    samples: Samples,
    input: ImageInput,
    task: Completion,
    *,
    indices: Tensor | None = None,
    precision: Precision = nullcontext,
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Whole images, the same with their holes, and what the network makes of those, a batch at a time, on the CPU.

    Values from -1 to 1. Puts the network into evaluation mode.
    """
    network.eval()
    weight, corners = next(network.parameters()), holes(samples, input, task)
    for places, stored in in_order(samples, indices):
        whole = input.evaluate(stored)
        holed = with_hole(whole, corners[places], task.hole)
        with precision():
            completed = network(holed.to(weight.device, weight.dtype))
        yield whole, holed, finite(completed.float().cpu())


def completion_errors(
    network: AutoEncoder, samples: Samples, input: ImageInput, task: Completion, *, precision: Precision = nullcontext
) -> dict[str, float]:
    r"""The mean over images of $\lVert G(\tilde I) - I \rVert^2$, and of the peak signal-to-noise ratio in decibels.

    $$\mathrm{PSNR} = 10 \log_{10} \frac{1}{\operatorname{mean} (G(\tilde I) - I)^2}$$

    Of values from 0 to 1, over the whole image and all channels.
    """
    found = completions(network, samples, input, task, precision=precision)
    squares = torch.cat(
        [((completed - whole) / 2).square().flatten(1).double().sum(dim=1) for whole, _, completed in found]
    )
    ratios = -10 * (squares / math.prod(input.shape)).clamp(min=1e-12).log10()
    loss, ratio = task.metrics
    return {loss.name: squares.mean().item(), ratio.name: ratios.mean().item()}
