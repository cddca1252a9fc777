"""Masked losses against loops over pixels, and heatmaps against the Gaussian's values."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from isthmus.functional.pixelwise import (
    IGNORED,
    depth_loss,
    gaussian_heatmaps,
    heatmap_loss,
    heatmap_peaks,
    normals_loss,
    segmentation_loss,
)

BATCH, HEIGHT, WIDTH = 2, 3, 4


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def some(*shape: int) -> Tensor:
    return random(*shape, seed=9) > 0


PIXELS = [(i, r, c) for i in range(BATCH) for r in range(HEIGHT) for c in range(WIDTH)]


def test_normals_loss_is_one_less_the_cosine_over_valid_pixels() -> None:
    predicted, normals, valid = random(BATCH, 3, HEIGHT, WIDTH), random(BATCH, 3, HEIGHT, WIDTH, seed=1), some(2, 3, 4)
    losses = []
    for i, r, c in PIXELS:
        if valid[i, r, c]:
            a, b = predicted[i, :, r, c].tolist(), normals[i, :, r, c].tolist()
            losses.append(1 - sum(x * y for x, y in zip(a, b)) / math.hypot(*a) / math.hypot(*b))
    assert normals_loss(predicted, normals, valid).item() == pytest.approx(sum(losses) / len(losses), rel=1e-12)


def test_segmentation_loss_is_the_mean_surprise_over_labelled_pixels() -> None:
    logits = random(BATCH, 5, HEIGHT, WIDTH)
    labels = torch.where(some(2, 3, 4), torch.arange(24).view(2, 3, 4) % 5, IGNORED)
    losses = []
    for i, r, c in PIXELS:
        if labels[i, r, c] != IGNORED:
            scores = logits[i, :, r, c].tolist()
            losses.append(math.log(sum(map(math.exp, scores))) - scores[labels[i, r, c]])
    assert segmentation_loss(logits, labels).item() == pytest.approx(sum(losses) / len(losses), rel=1e-12)


def test_depth_loss_is_the_mean_difference_over_valid_entries() -> None:
    predicted, depth, valid = random(2, 7), random(2, 7, seed=1), some(2, 7)
    losses = [abs(a - b) for a, b, v in zip(*(x.flatten().tolist() for x in (predicted, depth, valid))) if v]
    assert depth_loss(predicted, depth, valid).item() == pytest.approx(sum(losses) / len(losses), rel=1e-12)


def test_heatmap_loss_is_the_mean_square_over_pixels_of_valid_points() -> None:
    predicted, maps, valid = random(2, 5, 3, 4), random(2, 5, 3, 4, seed=1), some(2, 5)
    squares = [
        (predicted[i, k, r, c].item() - maps[i, k, r, c].item()) ** 2
        for i, r, c in PIXELS
        for k in range(5)
        if valid[i, k]
    ]
    assert heatmap_loss(predicted, maps, valid).item() == pytest.approx(sum(squares) / len(squares), rel=1e-12)


def test_heatmaps_are_gaussians_around_their_points() -> None:
    positions = torch.tensor([[[0.5, 2.0], [-3.0, 1.7]]], dtype=torch.float64)
    maps = gaussian_heatmaps(positions, 4, 6, 1.5)
    for k, (x, y) in enumerate(positions[0].tolist()):
        for r in range(4):
            for c in range(6):
                expected = math.exp(-((c + 0.5 - x) ** 2 + (r + 0.5 - y) ** 2) / (2 * 1.5**2))
                assert maps[0, k, r, c].item() == pytest.approx(expected, rel=1e-12)


def test_peaks_find_the_points_between_pixels() -> None:
    positions = 3 + 10 * torch.rand(2, 50, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.testing.assert_close(heatmap_peaks(gaussian_heatmaps(positions, 16, 16, 1.5)), positions, rtol=0, atol=1e-9)


def test_peaks_on_a_border_or_of_nothing_are_pixels() -> None:
    positions = torch.tensor([[[0.1, 5.25], [9.9, 0.3]]], dtype=torch.float64)
    expected = torch.tensor([[[0.5, 5.25], [9.5, 0.5]]], dtype=torch.float64)
    torch.testing.assert_close(heatmap_peaks(gaussian_heatmaps(positions, 10, 10, 1.0)), expected)
    assert heatmap_peaks(torch.zeros(1, 1, 4, 4)).isfinite().all()
    assert heatmap_peaks(-torch.ones(1, 1, 4, 4)).isfinite().all()


def losses_of(maps: Tensor, filling: float, valid: Tensor) -> list[Tensor]:
    """Every loss of predictions (2, 3, 3, 4), where the labels of what is not valid are `filling`."""
    labels = torch.where(valid[:, None], random(2, 3, 3, 4, seed=1), filling).to(maps.dtype)
    classes = torch.where(valid, 1, IGNORED)
    points = torch.where(valid[:, :, 0, None, None], random(2, 3, 3, 4, seed=2), filling).to(maps.dtype)
    return [
        normals_loss(maps, labels, valid),
        segmentation_loss(maps, classes),
        depth_loss(maps[:, 0], labels[:, 0], valid),
        heatmap_loss(maps, points, valid[:, :, 0]),
    ]


@pytest.mark.parametrize("which", range(4))
def test_labels_that_are_not_valid_have_no_effect(which: int) -> None:
    values, gradients = [], []
    for filling in (0.0, math.nan):
        maps = random(2, 3, 3, 4).requires_grad_()
        loss = losses_of(maps, filling, some(2, 3, 4))[which]
        loss.backward()
        values.append(loss.item())
        gradients.append(maps.grad)
    assert values[0] == values[1] > 0
    torch.testing.assert_close(*gradients, rtol=0, atol=0)


@pytest.mark.parametrize("which", range(4))
def test_without_a_valid_pixel_there_is_no_loss_and_no_gradient(which: int) -> None:
    maps = random(2, 3, 3, 4).requires_grad_()
    loss = losses_of(maps, 0.0, torch.zeros(2, 3, 4, dtype=torch.bool))[which]
    loss.backward()
    assert loss.item() == 0
    assert maps.grad is not None
    assert torch.equal(maps.grad, torch.zeros_like(maps))


@pytest.mark.parametrize("which", range(4))
def test_gradient_is_the_derivative(which: int) -> None:
    maps = random(2, 3, 3, 4).requires_grad_()
    assert torch.autograd.gradcheck(lambda maps: losses_of(maps, 0.0, some(2, 3, 4))[which], maps)


@pytest.mark.parametrize("which", range(4))
def test_half_precision_is_widened(which: int) -> None:
    maps = random(2, 3, 3, 4).bfloat16()
    expected = losses_of(maps.float(), 0.0, some(2, 3, 4))[which]
    with torch.autocast("cpu", torch.bfloat16):
        loss = losses_of(maps, 0.0, some(2, 3, 4))[which]
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, expected, rtol=1e-2, atol=0)  # the labels, too, are rounded


def test_a_prediction_of_nothing_has_a_finite_gradient() -> None:
    maps = torch.zeros(1, 3, 1, 1, requires_grad=True)
    normals_loss(maps, torch.ones(1, 3, 1, 1), torch.ones(1, 1, 1, dtype=torch.bool)).backward()
    assert maps.grad is not None
    assert maps.grad.isfinite().all()
