"""Labels cut and resized as their images are."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import interpolate, pad

from isthmus.data.pixelwise import Keypoints, PixelTask, Segmentation, SurfaceNormals
from isthmus.functional.pixelwise import IGNORED

Box = tuple[int, int, int, int]
"""Left, top, right and bottom in pixels of the image; may reach over its border."""


def resized(task: PixelTask, labels: Tensor, image: tuple[int, int], size: int) -> Tensor:
    """Labels of an image of width and height `image` for the same image squeezed to a square of `size` pixels.

    Normals are averaged as colours are, over the valid pixels, and of unit length again; a pixel has none where less
    than half of what it covers has. Classes and depths are those of the pixel at the place. Points move along.
    """
    if isinstance(task, Keypoints):
        width, height = image
        scale = torch.ones(labels.shape[1])
        scale[:2] = torch.tensor([size / width, size / height])
        return labels * scale
    if isinstance(task, SurfaceNormals):
        return _averaged(labels, size)
    rows, columns = ((2 * torch.arange(size) + 1) * side // (2 * size) for side in labels.shape)
    return labels[rows[:, None], columns]


def cut(task: PixelTask, labels: Tensor, box: Box) -> Tensor:
    """The part of an image's labels in a box; none beyond the image's border."""
    left, top, right, bottom = box
    if isinstance(task, Keypoints):
        offset = torch.zeros(labels.shape[1])
        offset[:2] = torch.tensor([left, top])
        return labels - offset
    height, width = labels.shape[-2:]
    beyond = IGNORED if isinstance(task, Segmentation) else torch.nan
    return pad(labels, (-left, right - width, -top, bottom - height), value=beyond)


def box_around(points: Tensor, margin: float) -> Box:
    """The square around points (n, 2 or 3), widened on every side by `margin` of its own side.

    >>> box_around(torch.tensor([[10.0, 20.0], [30.0, 40.0], [torch.nan, 0.0]]), 0.25)
    (5, 15, 35, 45)
    """
    known = points[points[:, :2].isfinite().all(dim=1), :2]
    low, high = known.amin(dim=0), known.amax(dim=0)
    side = max(1, round(float((high - low).max()) * (1 + 2 * margin)))
    left, top = (round(value - side / 2) for value in ((low + high) / 2).tolist())
    return left, top, left + side, top + side


def _averaged(normals: Tensor, size: int) -> Tensor:
    valid = normals.isfinite().all(dim=0)
    known = torch.cat([torch.where(valid, normals, 0), valid[None].to(normals.dtype)])
    sums = interpolate(known[None], size=(size, size), mode="bilinear", antialias=True)[0]
    lengths = sums[:3].square().sum(dim=0).sqrt()
    return torch.where((sums[3] >= 0.5) & (lengths > 1e-3), sums[:3] / lengths, torch.nan)
