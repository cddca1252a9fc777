"""Each primitive at unit size in its own coordinates: where a ray enters it, and the normal of its surface.

A hit takes origins and directions (3, …) and returns the parameter t of the point $o + t d$ where the ray enters, of
any sign; infinity where it misses. All but the ground are convex solids in the cube [-1, 1]³; origins are outside.
Normals take a point of the surface and need not have unit length.
"""

from __future__ import annotations

from collections.abc import Callable
from math import inf

import torch
from torch import Tensor

from isthmus.data.shapes.vectors import dot

KINDS = ("ground", "sphere", "box", "cylinder", "cone")
"""The objects of a scene, in order: one of each."""

TINY = 1e-12


def hit_ground(origin: Tensor, ray: Tensor) -> Tensor:
    """The plane z = 0, seen from above."""
    return torch.where(ray[2] < 0, -origin[2] / ray[2], inf)


def hit_sphere(origin: Tensor, ray: Tensor) -> Tensor:
    near, far = _within(dot(ray, ray), dot(origin, ray), dot(origin, origin) - 1)
    return torch.where(near < far, near, inf)


def hit_box(origin: Tensor, ray: Tensor) -> Tensor:
    near, far = _slab(origin, ray)
    return _entered([near[0], near[1], near[2]], [far[0], far[1], far[2]])


def hit_cylinder(origin: Tensor, ray: Tensor) -> Tensor:
    """Around the z axis."""
    (x, y, z), (dx, dy, dz) = origin, ray
    side_near, side_far = _within(dx * dx + dy * dy, x * dx + y * dy, x * x + y * y - 1)
    caps_near, caps_far = _slab(z, dz)
    return _entered([side_near, caps_near], [side_far, caps_far])


def hit_cone(origin: Tensor, ray: Tensor) -> Tensor:
    r"""Apex at z = 1, base of radius 1 at z = -1: $x^2 + y^2 \le w^2$ with $w = (1 - z) / 2$ from 0 to 1."""
    (x, y, z), (dx, dy, dz) = origin, ray
    w, dw = (1 - z) / 2, -dz / 2
    a, b, c = dx * dx + dy * dy - dw * dw, x * dx + y * dy - w * dw, x * x + y * y - w * w
    discriminant = b * b - a * c
    q = -(b + torch.copysign(discriminant.clamp(min=0).sqrt(), b))  # no difference of near numbers
    hits = torch.stack([q / a, c / q])
    height = w + hits * dw
    hits = torch.where((discriminant > 0) & (height >= 0) & (height <= 1), hits, inf)
    base = (1 - w) / dw
    rim = (x + base * dx).square() + (y + base * dy).square()
    return torch.minimum(torch.minimum(hits[0], hits[1]), torch.where(rim <= 1, base, inf))


def normal_ground(point: Tensor) -> Tensor:
    return torch.stack([torch.zeros_like(point[0]), torch.zeros_like(point[0]), torch.ones_like(point[0])])


def normal_sphere(point: Tensor) -> Tensor:
    return point


def normal_box(point: Tensor) -> Tensor:
    size = point.abs()
    face = size.amax(dim=0)
    return torch.where(size == face, point.sign(), 0)


def normal_cylinder(point: Tensor) -> Tensor:
    x, y, z = point
    cap = z * z > x * x + y * y
    return torch.stack([torch.where(cap, 0, x), torch.where(cap, 0, y), torch.where(cap, z, 0)])


def normal_cone(point: Tensor) -> Tensor:
    x, y, z = point
    radius = (x * x + y * y).clamp(min=TINY).sqrt()
    base = -1 - z > radius - (1 - z) / 2
    return torch.stack(
        [torch.where(base, 0, x / radius), torch.where(base, 0, y / radius), torch.where(base, -1.0, 0.5)]
    )


HITS: tuple[Callable[[Tensor, Tensor], Tensor], ...] = (hit_ground, hit_sphere, hit_box, hit_cylinder, hit_cone)
NORMALS: tuple[Callable[[Tensor], Tensor], ...] = (
    normal_ground,
    normal_sphere,
    normal_box,
    normal_cylinder,
    normal_cone,
)


def _within(a: Tensor, b: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    """Where $a t^2 + 2 b t + c < 0$, for positive a: from and to; an empty interval where nowhere."""
    a = a.clamp(min=TINY)
    discriminant = b * b - a * c
    half = discriminant.clamp(min=0).sqrt() / a
    middle = -b / a
    return torch.where(discriminant > 0, middle - half, inf), torch.where(discriminant > 0, middle + half, -inf)


def _slab(origin: Tensor, ray: Tensor) -> tuple[Tensor, Tensor]:
    """Where a coordinate lies in [-1, 1]: from and to."""
    one, other = (-1 - origin) / ray, (1 - origin) / ray
    return torch.minimum(one, other), torch.maximum(one, other)


def _entered(near: list[Tensor], far: list[Tensor]) -> Tensor:
    """A convex solid is the intersection of what it is bounded by, and its interval that of theirs."""
    enter, leave = near[0], far[0]
    for a, b in zip(near[1:], far[1:]):
        enter, leave = torch.maximum(enter, a), torch.minimum(leave, b)
    return torch.where(enter < leave, enter, inf)
