"""Measuring networks for pixel-wise tasks: metrics on exams, label-free scores on training samples."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Protocol

import torch
from torch import Tensor

from isthmus.data.inputs import Input
from isthmus.data.pixelwise import Keypoints, PixelLabels, PixelTask, Segmentation, SurfaceNormals
from isthmus.data.problems import Domain, Problem
from isthmus.data.samples import Samples, Subset, in_order
from isthmus.data.splits import shuffled
from isthmus.evaluation.inference import Precision, finite
from isthmus.evaluation.pixelwise import DepthErrors, KeypointErrors, NormalErrors, SegmentationScores
from isthmus.functional.pixelwise import heatmap_peaks, upsampled, upsampled_normals
from isthmus.nn.dense import Dense, DenseNetwork
from isthmus.progress import track
from isthmus.selection.scores import MAIN_ON_SOURCE

BATCH = 50
LOOKED_AT = 150
"""Training samples of a domain that label-free scores are taken on."""
NEAR = 4.0
"""Distance under which a keypoint counts as found, in pixels."""


class Meter(Protocol):
    """Adds up predictions against labels; see `evaluation.pixelwise`."""

    def add(self, predicted: Tensor, labels: Tensor) -> None: ...
    def result(self) -> dict[str, float]: ...


@torch.no_grad()
def dense_outputs(
    network: DenseNetwork, samples: Samples, input: Input, *, precision: Precision = nullcontext, title: str = ""
) -> Iterator[tuple[Tensor, Dense]]:
    """The samples' numbers and what the network gives for them, a batch at a time. Puts it into evaluation mode.

    With a title, a progress bar is drawn.
    """
    network.eval()
    weight = next(network.parameters())
    for indices, stored in track(in_order(samples, size=BATCH), title, math.ceil(len(samples) / BATCH)):
        images = input.evaluate(stored).to(weight.device, weight.dtype)
        with precision():
            dense = network(images)
        for outputs in (*dense.maps.values(), *dense.vectors.values()):
            finite(outputs)
        yield indices, dense


def predicted(task: PixelTask, dense: Dense, size: tuple[int, int]) -> Tensor:
    """A task's prediction in the form of its labels, at the resolution `size` of the images, on the CPU.

    Unit normals (n, 3, height, width), classes (n, height, width), depths (n, height, width), or points (n, points, 3),
    without depth (n, points, 2).
    """
    maps = dense.maps[task.name].float()
    if isinstance(task, SurfaceNormals):
        return upsampled_normals(maps, size).cpu()
    if isinstance(task, Segmentation):
        return upsampled(maps, size).argmax(dim=1).cpu()
    if isinstance(task, Keypoints):
        places = heatmap_peaks(maps) * (size[1] / maps.shape[3])
        depths = [dense.vectors[task.name].float()[:, :, None]] if task.depth else []
        return torch.cat([places, *depths], dim=2).cpu()
    return upsampled(maps, size).squeeze(1).cpu()


def measure(
    network: DenseNetwork,
    samples: Samples,
    labels: PixelLabels,
    input: Input,
    *,
    precision: Precision = nullcontext,
    title: str = "",
) -> dict[str, dict[str, float]]:
    """Every metric of every task that the network knows and that has labels, by name, pooled over the samples.

    With a title, a progress bar is drawn.
    """
    meters = {task: meter_for(task) for task in labels.tasks if task.name in network.maps}
    for indices, dense in dense_outputs(network, samples, input, precision=precision, title=title):
        for task, meter in meters.items():
            meter.add(predicted(task, dense, (input.shape[1], input.shape[2])), labels.values[task][indices])
    return {task.name: meter.result() for task, meter in meters.items()}


def label_free_scores(
    network: DenseNetwork, problem: Problem, *, precision: Precision = nullcontext
) -> dict[str, float]:
    """Negated mean losses on training samples, in evaluation mode: what is known without the target's main labels.

    `main_on_source`, and of a network that knows the anchor tasks `anchor_on_target`.
    """
    scores = {MAIN_ON_SOURCE: -_loss(network, problem.source, problem.tasks.main, problem.input, precision)}
    if all(task.name in network.maps for task in problem.tasks.anchors):
        anchors = _loss(network, problem.target, problem.tasks.anchors, problem.input, precision)
        scores["anchor_on_target"] = -anchors
    return scores


def _loss(
    network: DenseNetwork, domain: Domain, tasks: tuple[PixelTask, ...], input: Input, precision: Precision
) -> float:
    """The mean over some training samples, always the same ones, summed over tasks."""
    assert domain.pixels is not None  # as both domains of the setting have some
    device = next(network.parameters()).device
    total, count = 0.0, 0
    some = shuffled(len(domain.samples))[:LOOKED_AT]
    for indices, dense in dense_outputs(network, Subset(domain.samples, some), input, precision=precision):
        for task in tasks:
            labels = domain.pixels.values[task][some[indices]].to(device)
            loss = task.loss(dense.maps[task.name], dense.vectors.get(task.name), labels)
            total += float(loss) * len(indices)
        count += len(indices)
    return total / count


def meter_for(task: PixelTask) -> Meter:
    """A meter of the task's metrics."""
    if isinstance(task, SurfaceNormals):
        return NormalErrors()
    if isinstance(task, Segmentation):
        return SegmentationScores(len(task.classes))
    return KeypointErrors(NEAR, depth=task.depth) if isinstance(task, Keypoints) else DepthErrors()
