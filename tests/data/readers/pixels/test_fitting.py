"""Labels stay with their images when these are cut and resized."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from PIL.Image import Resampling
from torch import Tensor

from isthmus.data.inputs import ImageInput
from isthmus.data.pixelwise import Depth, Keypoints, Segmentation, SurfaceNormals
from isthmus.data.readers.pixels.fitting import box_around, cut, resized
from isthmus.functional.pixelwise import IGNORED

CLASSES = Segmentation(("a", "b", "c"))
SIZES = [16, 40, 100]


def random_normals(height: int, width: int) -> Tensor:
    values = torch.randn(3, height, width, generator=torch.Generator().manual_seed(0))
    return values / values.norm(dim=0)


@pytest.mark.parametrize("size", SIZES)
def test_normals_are_averaged_as_pillow_resizes_images(size: int) -> None:
    """Images are resized by Pillow, labels here: a difference of half a pixel would show."""
    normals = random_normals(48, 64)
    planes = [Image.fromarray(plane.numpy()).resize((size, size), Resampling.BILINEAR) for plane in normals]
    expected = np.stack([np.asarray(plane) for plane in planes])
    expected /= np.linalg.norm(expected, axis=0)
    np.testing.assert_allclose(resized(SurfaceNormals(), normals, (64, 48), size).numpy(), expected, atol=1e-3)


@pytest.mark.parametrize("size", SIZES)
def test_classes_and_depths_are_those_of_pillows_nearest_pixel(size: int) -> None:
    """With odd sides, no pixel's middle falls between two others."""
    classes = torch.randint(3, (45, 63), generator=torch.Generator().manual_seed(0))
    nearest = Image.fromarray(classes.numpy().astype(np.uint8)).resize((size, size), Resampling.NEAREST)
    expected = torch.from_numpy(np.array(nearest).astype(np.int64))
    assert torch.equal(resized(CLASSES, classes, (63, 45), size), expected)
    assert torch.equal(resized(Depth(), classes.float(), (63, 45), size), expected.float())


def test_a_pixel_has_a_normal_where_half_of_it_has() -> None:
    normals = torch.tensor([0.0, 0.6, -0.8])[:, None, None].repeat(1, 8, 8)
    normals[:, :, 6:] = torch.nan
    small = resized(SurfaceNormals(), normals, (8, 8), 4)
    known = small.isfinite().all(dim=0)
    assert known.tolist() == [[True, True, True, False]] * 4
    torch.testing.assert_close(small[:, known], torch.tensor([[0.0], [0.6], [-0.8]]).expand(3, 12))


def test_points_move_with_the_picture() -> None:
    """A single bright pixel and the point at its middle, squeezed."""
    image = np.zeros((48, 96, 3), np.uint8)
    image[10:14, 60:68] = 255
    points = resized(Keypoints(("spot",), 24), torch.tensor([[64.0, 12.0, 3.5]]), (96, 48), 24)
    stored = ImageInput(3, 24, 24, flip=False).store(Image.fromarray(image))[0].float()
    rows, columns = stored.sum(dim=1), stored.sum(dim=0)
    middle = torch.arange(24) + 0.5
    seen = [float((columns * middle).sum() / columns.sum()), float((rows * middle).sum() / rows.sum())]
    assert points[0, :2].tolist() == pytest.approx(seen, abs=0.05)
    assert points[0, 2] == 3.5


@pytest.mark.parametrize("box", [(5, 6, 20, 21), (-3, 2, 12, 17), (50, 40, 70, 60)])
def test_labels_are_cut_as_pillow_cuts_images(box: tuple[int, int, int, int]) -> None:
    height, width = 48, 64
    depth = torch.arange(1.0, height * width + 1).view(height, width)
    cropped = torch.from_numpy(np.array(Image.fromarray(depth.numpy()).crop(box)))
    expected = torch.where(cropped == 0, torch.nan, cropped)
    torch.testing.assert_close(cut(Depth(), depth, box), expected, equal_nan=True)
    classes = cut(CLASSES, torch.ones(height, width, dtype=torch.long), box)
    assert torch.equal(classes, torch.where(cropped == 0, IGNORED, 1))
    points = cut(Keypoints(("p",), 64), torch.tensor([[10.0, 12.0, 2.0]]), box)
    assert points.tolist() == [[10.0 - box[0], 12.0 - box[1], 2.0]]


def test_a_box_is_a_square_around_all_points() -> None:
    assert box_around(torch.tensor([[10.0, 10.0], [30.0, 20.0]]), 0) == (10, 5, 30, 25)
    assert box_around(torch.tensor([[10.0, 10.0, 1.0], [30.0, 20.0, 1.0]]), 0.5) == (0, -5, 40, 35)
