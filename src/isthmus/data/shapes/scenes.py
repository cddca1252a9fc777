"""What stands where: a camera above a plane, and a sphere, a box, a cylinder and a cone on it, at random.

Camera coordinates: x to the right, y down, z forward; the camera is at the origin. An object's own coordinates have
its axis along z. World coordinates have the ground in x and y, and z up.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from isthmus.data.shapes.primitives import KINDS
from isthmus.data.shapes.randomness import Random
from isthmus.data.shapes.vectors import composed, dot, mapped

FIELD = 45.0
"""The camera's field of view, in degrees, across and up."""
DISTANCE = (5.2, 6.2)
"""From the camera to the middle of the scene; objects are one to two units wide."""


@dataclass(frozen=True)
class Poses:
    """How scenes are arranged. Two domains with unlike poses have unlike normals: a shift of the labels.

    Attributes:
        elevation: of the camera over the ground, in degrees, from and to.
        tilt: largest angle between an object's axis and the vertical, in degrees.
        size: half the width of objects, from and to.
    """

    elevation: tuple[float, float]
    tilt: float
    size: tuple[float, float]


UPRIGHT = Poses(elevation=(18.0, 38.0), tilt=15.0, size=(0.6, 0.85))
TUMBLED = Poses(elevation=(45.0, 75.0), tilt=90.0, size=(0.45, 1.0))


@dataclass(frozen=True)
class Scenes:
    r"""The objects of n scenes, in the order of `KINDS`: $p = c + R (s \odot q)$ for q of the unit primitive.

    Attributes:
        centres: (objects, 3, n) in camera coordinates.
        rotations: (objects, 3, 3, n) from an object's coordinates to the camera's.
        sizes: (objects, 3, n), half sizes along the object's axes.
    """

    centres: Tensor
    rotations: Tensor
    sizes: Tensor

    @property
    def up(self) -> Tensor:
        """The vertical, (3, n)."""
        return self.rotations[0, :, 2]


def sampled(random: Random, poses: Poses) -> Scenes:
    """The scenes that `random` stands for."""
    world = _rotation(0, math.pi / 2 + _degrees(random, *poses.elevation, "elevation"))
    world = composed(_rotation(2, _degrees(random, -4, 4, "roll")), world)
    middle = torch.stack(
        [
            random.between(-0.3, 0.3, "aside"),
            random.between(-0.3, 0.3, "below"),
            random.between(*DISTANCE, "distance"),
        ]
    )
    objects = len(KINDS) - 1
    place = random.uniform("places", objects).argsort(dim=0) + random.between(-0.15, 0.15, "angles", objects)
    angle = place * (math.tau / objects) + math.tau * random.uniform("turn")
    radius = random.between(1.0, 1.45, "radii", objects)
    directions = _degrees(random, 0, 360, "directions", objects)
    tilts = _degrees(random, 0, poses.tilt, "tilts", objects)
    spins = _degrees(random, 0, 360, "spins", objects)
    sizes = _sizes(random, poses)

    centres, rotations = [middle], [world]
    for i in range(objects):
        own = composed(_rotation(2, directions[i]), composed(_rotation(1, tilts[i]), _rotation(2, spins[i])))
        height = _height(KINDS[i + 1], own[2], sizes[i + 1])
        stands = torch.stack([radius[i] * angle[i].cos(), radius[i] * angle[i].sin(), height])
        centres.append(middle + mapped(world, stands))
        rotations.append(composed(world, own))
    return Scenes(torch.stack(centres), torch.stack(rotations), sizes)


def pixel_rays(size: int) -> Tensor:
    """Through the middle of each pixel, (3, 1, size²), z = 1: a multiple of a ray by t has depth t."""
    focal = focal_length(size)
    at = (torch.arange(size) + 0.5 - size / 2) / focal
    y, x = torch.meshgrid(at, at, indexing="ij")
    return torch.stack([x, y, torch.ones_like(x)]).view(3, 1, -1)


def focal_length(size: int) -> float:
    """In pixels, for images of size × size pixels."""
    return size / 2 / math.tan(math.radians(FIELD / 2))


def _sizes(random: Random, poses: Poses) -> Tensor:
    """(objects, 3, n)."""
    size = random.between(*poses.size, "sizes", len(KINDS) - 1)
    one = torch.ones_like(size[0])
    edges = random.between(0.6, 1.0, "edges", 3)
    slim, low = random.between(0.55, 0.8, "slim"), random.between(0.7, 1.0, "low")
    return torch.stack(
        [
            torch.stack([one, one, one]),
            0.85 * size[0] * torch.stack([one, one, one]),
            0.9 * size[1] * edges,
            size[2] * torch.stack([slim, slim, one]),
            1.1 * size[3] * torch.stack([low, low, one]),
        ]
    )


def _height(kind: str, vertical: Tensor, size: Tensor) -> Tensor:
    """Of the centre over the ground that the lowest point touches.

    Args:
        kind: of the object.
        vertical: (3, n) height gained along each of the object's axes.
        size: (3, n)
    """
    along = size[2] * vertical[2]
    across = size[0] * (1 - vertical[2].square()).clamp(min=0).sqrt()
    if kind == "sphere":
        return size[0]
    if kind == "box":
        return dot(vertical.abs(), size)
    if kind == "cylinder":
        return along.abs() + across
    return torch.maximum(-along, along + across)


def _degrees(random: Random, low: float, high: float, name: str, *shape: int) -> Tensor:
    return random.between(math.radians(low), math.radians(high), name, *shape)


def _rotation(axis: int, angle: Tensor) -> Tensor:
    """About the x, y or z axis, (3, 3, n)."""
    cos, sin, zero, one = angle.cos(), angle.sin(), torch.zeros_like(angle), torch.ones_like(angle)
    i, j = (axis + 1) % 3, (axis + 2) % 3
    rows = [[zero] * 3 for _ in range(3)]
    rows[axis][axis] = one
    rows[i][i], rows[i][j], rows[j][i], rows[j][j] = cos, -sin, sin, cos
    return torch.stack([torch.stack(row) for row in rows])
