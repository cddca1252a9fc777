"""Pooled metrics of pixel-wise tasks against numpy, scikit-learn and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import accuracy_score, jaccard_score
from torch import Tensor

from isthmus.errors import DataError
from isthmus.evaluation.pixelwise import (
    ANGLES,
    DepthErrors,
    KeypointErrors,
    NormalErrors,
    SegmentationScores,
    angles_between,
)
from isthmus.functional.pixelwise import IGNORED, upsampled_normals


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("count", [31, 32])
def test_normals_in_batches_are_numpys_figures_of_all_pixels(count: int) -> None:
    normals = random(count, 3, 1, 2)
    predicted = normals + 0.5 * random(count, 3, 1, 2, seed=1)
    valid = torch.arange(2 * count).view(count, 1, 2) % 2 == 0
    labels = normals.clone()
    labels[:, 0][~valid] = torch.nan
    errors = NormalErrors()
    for part in torch.arange(count).split(7):
        errors.add(predicted[part], labels[part])
    a, b = (x.double().movedim(1, -1)[valid].numpy() for x in (predicted, normals))
    cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    angles = np.degrees(np.arccos(cosine))
    result = errors.result()
    assert result["rmse"] == pytest.approx(np.sqrt((angles**2).mean()), rel=1e-5)
    assert result["mean"] == pytest.approx(angles.mean(), rel=1e-5)
    assert result["median"] == pytest.approx(np.median(angles), abs=1e-3)
    assert [result[f"<{limit:g}°"] for limit in ANGLES] == [np.mean(angles < limit) for limit in ANGLES]
    assert 0 < result["<11.25°"] < result["<30°"] < 1


@pytest.mark.parametrize("degrees", [0.0, 1e-4, 0.02, 90.0, 179.99, 180.0])
def test_angles_are_right_to_single_precision_at_both_ends(degrees: float) -> None:
    angle = math.radians(degrees)
    turned = torch.tensor([[3 * math.cos(angle), 3 * math.sin(angle), 0.0]])
    assert angles_between(turned, torch.tensor([[2.0, 0.0, 0.0]])).item() == pytest.approx(degrees, rel=1e-5, abs=1e-6)


def test_upsampled_normals_have_unit_length_and_keep_a_constant_direction() -> None:
    constant = torch.tensor([1.0, 2.0, -2.0]).view(1, 3, 1, 1) * torch.tensor([[1.0, 5.0], [9.0, 0.1]])
    expected = torch.tensor([1.0, 2.0, -2.0]).div(3).view(1, 3, 1, 1).expand(1, 3, 5, 7)
    torch.testing.assert_close(upsampled_normals(constant, (5, 7)), expected)
    lengths = upsampled_normals(random(2, 3, 4, 4), (9, 9)).norm(dim=1)
    torch.testing.assert_close(lengths, torch.ones(2, 9, 9))


def test_segmentation_is_scikit_learns() -> None:
    draw = torch.Generator().manual_seed(0)
    labels, predicted = (torch.randint(4, (6, 5, 5), generator=draw) for _ in range(2))
    labels[0] = IGNORED
    scores = SegmentationScores(6)  # two classes occur nowhere
    for part in torch.arange(6).split(4):
        scores.add(predicted[part], labels[part])
    kept = labels != IGNORED
    true, guess = labels[kept].numpy(), predicted[kept].numpy()
    assert scores.result()["miou"] == pytest.approx(jaccard_score(true, guess, average="macro"))
    assert scores.result()["accuracy"] == pytest.approx(accuracy_score(true, guess))
    assert scores.ious().isnan().tolist() == [False] * 4 + [True] * 2


@pytest.mark.parametrize("depth", [False, True])
def test_keypoints_in_pixels(depth: bool) -> None:
    errors = KeypointErrors(near=2.0, depth=depth)
    points = torch.tensor([[[3.0, 4.0, 1.0], [0.0, 1.0, -3.5], [100.0, 0.0, 0.0]]])[:, :, : 3 if depth else 2]
    origin = torch.zeros_like(points)
    first, second = origin.clone(), origin.clone()
    first[0, 2, 0] = second[0, 1:, -1] = torch.nan
    errors.add(points, first)
    errors.add(origin, second)
    assert errors.result() == {"mean": 2.0, "found": 2 / 3} | ({"depth mean": 1.5} if depth else {})


def test_depths_by_hand() -> None:
    errors = DepthErrors()
    errors.add(torch.tensor([1.0, 2.4, 9.0]), torch.tensor([2.0, 2.0, torch.nan]))
    errors.add(torch.tensor([-4.0, 3.0]), torch.tensor([4.0, 4.0]))
    assert errors.result() == pytest.approx(
        {
            "abs_rel": (0.5 + 0.2 + 2 + 0.25) / 4,
            "rmse": math.sqrt((1 + 0.16 + 64 + 1) / 4),
            "δ<1.25": 1 / 4,
        },
        rel=1e-6,
    )


@pytest.mark.parametrize("metric", [NormalErrors(), SegmentationScores(3), KeypointErrors(1.0), DepthErrors()])
def test_nothing_added_has_no_result(
    metric: NormalErrors | SegmentationScores | KeypointErrors | DepthErrors,
) -> None:
    with pytest.raises(DataError, match="Expected at least one labelled"):
        metric.result()
