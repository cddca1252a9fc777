"""What a ray meets first: its depth, the object, and the normal there."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

import torch
from torch import Tensor

from isthmus.data.shapes.primitives import HITS, NORMALS
from isthmus.data.shapes.scenes import Scenes
from isthmus.data.shapes.vectors import dot, mapped, unit

NEAR = 1e-3
"""Nothing is hit before this multiple of a ray, so that a surface does not shadow itself."""
FAR = 25.0
"""Ground beyond this depth counts as sky."""


@dataclass(frozen=True)
class Surface:
    """Where rays from the camera end.

    Attributes:
        depth: (n, rays); infinity for the sky.
        kind: (n, rays) number in `KINDS`; 0 for the sky, too.
        local: (3, n, rays) the point in its object's coordinates, at unit size.
        normals: (3, n, rays) unit, in camera coordinates; zero for the sky.
    """

    depth: Tensor
    kind: Tensor
    local: Tensor
    normals: Tensor

    @property
    def valid(self) -> Tensor:
        """What is no sky, (n, rays)."""
        return self.depth.isfinite()


def seen(scenes: Scenes, rays: Tensor) -> Surface:
    """The first surface on each ray (3, 1 or n, rays) from the camera."""
    origin = torch.zeros(3, 1, 1, device=rays.device, dtype=rays.dtype)
    count = scenes.sizes.shape[-1]
    depth = rays.new_full((count, rays.shape[-1]), FAR)
    kind = torch.full_like(depth, -1, dtype=torch.long)
    local = rays.new_zeros(3, *depth.shape)
    for number in range(len(HITS)):
        t, start, ray = _entry(scenes, number, origin, rays)
        closer = (t > NEAR) & (t < depth)
        depth = torch.where(closer, t, depth)
        kind = torch.where(closer, number, kind)
        local = torch.where(closer, start + torch.where(closer, t, 0) * ray, local)
    normals = torch.zeros_like(local)
    for number, normal in enumerate(NORMALS):
        scaled = normal(local) / scenes.sizes[number, :, :, None]
        normals = torch.where(kind == number, mapped(scenes.rotations[number], scaled), normals)
    return Surface(torch.where(kind < 0, inf, depth), kind.clamp(min=0), local, unit(normals))


def shadowed(scenes: Scenes, points: Tensor, towards: Tensor) -> Tensor:
    """Whether an object stands between points (3, n, rays) and a light in directions (3, n, rays): (n, rays)."""
    dark = torch.zeros(points.shape[1:], dtype=torch.bool, device=points.device)
    for number in range(1, len(HITS)):  # lights are above the ground
        t, _, _ = _entry(scenes, number, points, towards)
        dark = dark | ((t > NEAR) & (t < inf))
    return dark


def first_depth(scenes: Scenes, rays: Tensor) -> Tensor:
    """Smallest t at which rays (3, n, rays) from the camera hit anything, (n, rays)."""
    origin = torch.zeros(3, 1, 1, device=rays.device, dtype=rays.dtype)
    hits = torch.stack([_entry(scenes, number, origin, rays)[0] for number in range(len(HITS))])
    return torch.where(hits > NEAR, hits, inf).amin(dim=0)


def _entry(scenes: Scenes, number: int, origin: Tensor, ray: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Where rays enter one object, as t, and the rays' origins and directions in its unit coordinates."""
    back = scenes.rotations[number].transpose(0, 1) / scenes.sizes[number, :, None]
    start, ray = mapped(back, origin - scenes.centres[number, :, :, None]), mapped(back, ray)
    nearest = -dot(start, ray) / dot(ray, ray)  # from the ray's nearest point, no root is a difference of large numbers
    return nearest + HITS[number](start + nearest * ray, ray), start, ray
