"""What the numbers of label files mean, pixel by pixel."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from isthmus.data.readers.pixels.encodings import (
    DepthEncoding,
    Encoding,
    KeypointsEncoding,
    NormalsEncoding,
    SegmentationEncoding,
)
from isthmus.errors import DataError


@pytest.mark.parametrize(("dtype", "largest"), [(np.uint8, 255), (np.uint16, 65535)])
def test_colours_are_normals_of_unit_length_or_none(dtype: type, largest: int) -> None:
    colours = np.random.default_rng(0).integers(0, largest + 1, (6, 7, 3)).astype(dtype)
    colours[0, 0] = 0
    colours[0, 1] = largest
    colours[0, 2] = largest // 2
    found = NormalsEncoding().decode(colours)
    assert found.shape == (3, 6, 7)
    for row in range(6):
        for column in range(7):
            vector = [2 * int(value) / largest - 1 for value in colours[row, column]]
            length = math.sqrt(sum(value * value for value in vector))
            own = found[:, row, column].tolist()
            if 0.5 < length < 1.5:
                assert own == pytest.approx([value / length for value in vector], abs=1e-5)
            else:
                assert all(math.isnan(value) for value in own)
    assert found[:, 0, :3].isnan().all(), "black, white and grey are no directions"


def test_numbers_may_stand_in_either_order_and_axes_be_others() -> None:
    normals = np.random.default_rng(0).normal(size=(4, 5, 3))
    normals /= np.linalg.norm(normals, axis=2, keepdims=True)
    normals[1, 2] = np.nan
    last = NormalsEncoding().decode(normals)
    torch.testing.assert_close(NormalsEncoding().decode(normals.transpose(2, 0, 1)), last, equal_nan=True)
    assert last[:, 1, 2].isnan().all()
    assert int(last.isnan().sum()) == 3
    turned = NormalsEncoding(((2, -1), (0, 1), (1, -1))).decode(normals)
    expected = torch.stack([-last[2], last[0], -last[1]])
    torch.testing.assert_close(turned, expected, equal_nan=True)


def test_several_numbers_may_be_one_class_and_others_none() -> None:
    numbers = np.array([[0, 3, 4], [7, 9, 255]], dtype=np.uint8)
    classes = {3: 0, 4: 0, 7: 1}
    expected = torch.tensor([[255, 0, 0], [1, 255, 255]])
    assert torch.equal(SegmentationEncoding(classes, None).decode(numbers), expected)
    assert torch.equal(SegmentationEncoding(classes, frozenset((0, 9, 255))).decode(numbers), expected)
    with pytest.raises(
        DataError, match="expected the values `3`, `4`, `7`, and `255` for no class, but got also `0`, `9`"
    ):
        SegmentationEncoding(classes).decode(numbers)


def test_large_and_negative_numbers_may_be_classes() -> None:
    numbers = np.array([[-1, 5, 2_000_000], [5, 5, -1]], dtype=np.int32)
    found = SegmentationEncoding({5: 0, 2_000_000: 1}, frozenset((-1,))).decode(numbers)
    assert found.tolist() == [[255, 0, 1], [0, 0, 255]]
    assert SegmentationEncoding({5: 0}, frozenset((-1,))).decode(numbers[:, :2]).tolist() == [[255, 0], [0, 0]]


def test_depths_are_scaled_and_what_is_none_is_known() -> None:
    millimetres = np.array([[0, 500], [1000, 65535]], dtype=np.uint16)
    found = DepthEncoding(0.001).decode(millimetres)
    torch.testing.assert_close(found, torch.tensor([[torch.nan, 0.5], [1.0, 65.535]]), equal_nan=True)
    metres = np.array([[np.inf, -1.0, 2.0]])
    assert DepthEncoding().decode(metres).isfinite().tolist() == [[False, False, True]]
    assert torch.equal(DepthEncoding().decode(np.full((2, 2, 3), 4.0)), torch.full((2, 2), 4.0))


def test_unknown_points_stay_unknown() -> None:
    points = np.array([[1.0, 2.0], [np.nan, np.nan]])
    assert KeypointsEncoding(2, 2).decode(points).isnan().tolist() == [[False, False], [True, True]]


@pytest.mark.parametrize(
    ("encoding", "array", "message"),
    [
        (
            NormalsEncoding(),
            np.zeros((4, 4), np.uint8),
            r"expected normals as \(height, width, 3\), but got shape \(4, 4\)",
        ),
        (
            NormalsEncoding(),
            np.zeros((4, 4, 3), np.int32),
            "expected normals as 8-bit or 16-bit colours or as fractions",
        ),
        (SegmentationEncoding({0: 0}), np.zeros((4, 4)), "expected a whole number for each pixel"),
        (SegmentationEncoding({0: 0}), np.zeros((4, 4, 3), np.uint8), r"but got shape \(4, 4, 3\) of uint8"),
        (DepthEncoding(), np.random.default_rng(0).random((4, 4, 3)), "expected a depth for each pixel"),
        (KeypointsEncoding(5, 2), np.zeros((4, 2)), r"expected 5 points of 2 numbers each, but got shape \(4, 2\)"),
    ],
)
def test_other_shapes_and_types_are_refused(encoding: Encoding, array: NDArray[Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        encoding.decode(array)
