"""Two named points of each object, on its surface, whatever its pose."""

from __future__ import annotations

import torch
from torch import Tensor

from isthmus.data.shapes.primitives import KINDS
from isthmus.data.shapes.rays import first_depth
from isthmus.data.shapes.scenes import Scenes, focal_length
from isthmus.data.shapes.vectors import dot, mapped, unit

KEYPOINTS = (
    "highest point of the sphere",
    "nearest point of the sphere",
    "middle of the box's upper face",
    "nearest corner of the box",
    "middle of the cylinder's upper cap",
    "middle of the cylinder's lower cap",
    "apex of the cone",
    "middle of the cone's base",
)


def keypoints(scenes: Scenes, size: int) -> tuple[Tensor, Tensor]:
    """x, y in pixels and depth, (n, points, 3), and whether each is seen, (n, points).

    The image spans 0 to `size`, so that the middle of the first pixel is at 0.5. A point that another surface hides has
    its place all the same, and may lie outside the image.
    """
    points = points_on(scenes)
    rays = points / points[2]
    x, y = focal_length(size) * rays[:2] + size / 2
    inside = (x >= 0) & (x < size) & (y >= 0) & (y < size)
    # A corner's ray may pass the box by a rounding error, and reach what is behind.
    seen = inside & (first_depth(scenes, rays) > points[2] * (1 - 1e-4))
    return torch.stack([x, y, points[2]], dim=-1), seen


def points_on(scenes: Scenes) -> Tensor:
    """The points in camera coordinates, (3, n, points), in the order of `KEYPOINTS`."""
    up = scenes.up
    along = {kind: dot(scenes.rotations[i], up[:, None]) for i, kind in enumerate(KINDS)}
    towards = {kind: -dot(scenes.rotations[i], scenes.centres[i][:, None]).sign() for i, kind in enumerate(KINDS)}
    sphere = scenes.rotations[KINDS.index("sphere")].transpose(0, 1)
    nearest = -unit(scenes.centres[KINDS.index("sphere")])
    top = along["cylinder"][2].sign()
    axis = torch.stack([torch.zeros_like(top), torch.zeros_like(top), torch.ones_like(top)])
    local = [
        ("sphere", mapped(sphere, up)),
        ("sphere", mapped(sphere, nearest)),
        ("box", _steepest(along["box"])),
        ("box", towards["box"]),
        ("cylinder", top * axis),
        ("cylinder", -top * axis),
        ("cone", axis),
        ("cone", -axis),
    ]
    return torch.stack([_placed(scenes, KINDS.index(kind), point) for kind, point in local], dim=-1)


def _steepest(along: Tensor) -> Tensor:
    """The middle of the face whose normal is nearest the vertical, given each axis' share of it, (3, n)."""
    return torch.where(along.abs() == along.abs().amax(dim=0), along.sign(), 0)


def _placed(scenes: Scenes, number: int, point: Tensor) -> Tensor:
    """From an object's unit coordinates to the camera's, (3, n)."""
    return scenes.centres[number] + mapped(scenes.rotations[number], scenes.sizes[number] * point)
