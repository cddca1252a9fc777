"""What surfaces and cameras look like, and the two looks that make a domain each."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from isthmus.data.shapes.primitives import KINDS
from isthmus.data.shapes.randomness import Random
from isthmus.data.shapes.rays import Surface, shadowed
from isthmus.data.shapes.scenes import Scenes
from isthmus.data.shapes.vectors import dot, mapped, unit


@dataclass(frozen=True)
class Look:
    """How a scene is drawn; of what is zero there is none.

    Attributes:
        texture: contrast of patterns on surfaces, from 0 to 1.
        lights: how many; the first is the brightest.
        azimuth: largest angle, in degrees, between the first light's direction and the camera's left.
        shadows: radius of a light over its distance; None for lights that cast no shadow.
        ambient: light from everywhere, as a share.
        gloss: largest strength of highlights.
        cast: how far the camera's channels differ.
        exposure: how far its brightness varies.
        blur: largest standard deviation of the blur, in pixels.
        noise: largest standard deviation of the noise, as a share of the full range.
    """

    texture: float = 0.0
    lights: int = 1
    azimuth: float = 25.0
    shadows: float | None = None
    ambient: float = 0.3
    gloss: float = 0.0
    cast: float = 0.0
    exposure: float = 0.0
    blur: float = 0.0
    noise: float = 0.0


SYNTHETIC = Look()
"""Plain colours under one light from the left, without shadows."""

REAL = Look(
    texture=0.85,
    lights=2,
    azimuth=180.0,
    shadows=0.12,
    ambient=0.22,
    gloss=0.5,
    cast=0.22,
    exposure=0.3,
    blur=0.7,
    noise=0.035,
)
"""Patterns, two coloured lights from anywhere with soft shadows, highlights, and a camera with faults."""

SUBPIXELS = 2
"""Rays a pixel, across and down; each sees another point of a light, so that shadows are soft."""


def shaded(random: Random, scenes: Scenes, look: Look, surface: Surface, rays: Tensor) -> Tensor:
    """Light that returns along the rays (3, 1, rays), in [0, 1] and more: (3, n, rays)."""
    albedo = _albedo(random, scenes, look, surface)
    up, normals = scenes.up[:, :, None], surface.normals
    points = torch.where(surface.valid, surface.depth, 0) * rays + 2e-3 * normals
    view = unit(-rays)
    gloss = look.gloss * _of(random.uniform("gloss", len(KINDS)), surface.kind)

    sky = 1 - look.cast * torch.tensor([1.0, 0.4, 0.0])[:, None, None]
    light = look.ambient * (0.65 + 0.35 * dot(normals, up)) * sky
    shine = torch.zeros_like(surface.depth)
    for i in range(look.lights):
        direction, colour = _light(random, scenes, look, i)
        towards = direction[:, :, None].expand_as(normals)
        if look.shadows is not None:
            towards = unit(towards + look.shadows * _disc(direction, rays.shape[-1]))
        incidence = dot(normals, towards).clamp(min=0)
        if look.shadows is not None:
            incidence = incidence * ~shadowed(scenes, points, towards)
        light = light + colour[:, :, None] * incidence
        if look.gloss:
            shine = (
                shine + (1.0 if i == 0 else 0.3) * incidence.sqrt() * dot(normals, unit(towards + view)).clamp(0) ** 40
            )
    return torch.where(surface.valid, albedo * light + gloss * shine, _sky(random, scenes, look, rays))


def _albedo(random: Random, scenes: Scenes, look: Look, surface: Surface) -> Tensor:
    """(3, n, rays): a colour for each object, and a second one in bands that are straight, warped or chequered."""
    objects = len(KINDS)
    kind = surface.kind
    colour = torch.stack([_of(channel, kind) for channel in _colours(random, "colour")])
    if not look.texture:
        return colour
    other = torch.stack([_of(channel, kind) for channel in _colours(random, "second colour")])
    waves = random.normal("waves", 2, 3, objects) * random.between(1.5, 4.5, "frequency", 2, 1, objects)
    phases = random.between(0, math.tau, "phases", 2, objects)
    warp, sharp = random.between(0, 1.5, "warp", objects), random.between(0.8, 6, "sharp", objects)
    chequered = random.uniform("chequered", objects) < 0.4

    at = surface.local * torch.stack([_of(size, kind) for size in scenes.sizes.transpose(0, 1)])
    angles = [
        dot(at, torch.stack([_of(part, kind) for part in wave])) + _of(phase, kind)
        for wave, phase in zip(waves, phases)
    ]
    across = angles[1].sin()
    bands = (angles[0] + _of(warp, kind) * across).sin()
    bands = torch.where(_of(chequered, kind), angles[0].sin() * across * 1.5, bands)
    share = look.texture * (0.5 + 0.5 * (_of(sharp, kind) * bands).tanh())
    return colour + share * (other - colour)


def _colours(random: Random, name: str) -> Tensor:
    """Bright colours of any hue, and a pale ground: (3, objects, n)."""
    objects = len(KINDS)
    hue, saturation = (
        random.uniform(f"{name}: hue", objects),
        random.between(0.35, 0.85, f"{name}: saturation", objects),
    )
    value = random.between(0.35, 0.9, f"{name}: value", objects)
    ground = (torch.arange(objects) == 0)[:, None]
    saturation, value = (
        torch.where(ground, 0.35 * saturation, saturation),
        torch.where(ground, 0.2 + 0.5 * value, value),
    )
    # From hue, saturation and value: a channel is full within a sixth of the circle of its own hue, and falls linearly.
    apart = [((hue * 6 - own + 3) % 6 - 3).abs() for own in (0, 2, 4)]
    return torch.stack([value * (1 - saturation * (distance - 1).clamp(0, 1)) for distance in apart])


def _light(random: Random, scenes: Scenes, look: Look, number: int) -> tuple[Tensor, Tensor]:
    """Its direction in camera coordinates and its colour, (3, n) each."""
    reach = look.azimuth if number == 0 else 180.0
    azimuth = math.pi + random.between(-1, 1, f"light {number}: azimuth") * math.radians(reach)
    height = random.between(math.radians(30), math.radians(65), f"light {number}: height")
    world = torch.stack([height.cos() * azimuth.cos(), height.cos() * azimuth.sin(), height.sin()])
    strength = (
        random.between(0.75, 0.95, "strength") if number == 0 else random.between(0.08, 0.3, f"strength {number}")
    )
    tint = 1 - look.cast * random.uniform(f"light {number}: tint", 3)
    return mapped(scenes.rotations[0], world), strength * tint


def _disc(direction: Tensor, rays: int) -> Tensor:
    """Across a light at a direction (3, n), one point a ray, (3, n, rays), well spread among neighbours.

    The subpixels of a pixel take one point of Vogel's disc each, turned from pixel to pixel by Jimenez' interleaved
    gradient noise.
    """
    across = unit(torch.stack([direction[2], torch.zeros_like(direction[0]), -direction[0]]))
    x, y, z = direction
    ax, ay, az = across
    down = torch.stack([y * az - z * ay, z * ax - x * az, x * ay - y * ax])
    side = math.isqrt(rays)
    row, column = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    sample = (row % SUBPIXELS) * SUBPIXELS + column % SUBPIXELS
    noise = (52.9829189 * ((0.06711056 * (column // SUBPIXELS) + 0.00583715 * (row // SUBPIXELS)) % 1)) % 1
    angle = sample * (math.pi * (3 - math.sqrt(5))) + math.tau * noise
    radius = ((sample + 0.5) / SUBPIXELS**2).sqrt()
    right, low = (radius * angle.cos()).flatten(), (radius * angle.sin()).flatten()
    return across[:, :, None] * right + down[:, :, None] * low


def _sky(random: Random, scenes: Scenes, look: Look, rays: Tensor) -> Tensor:
    """(3, n, rays): one pale colour, or a gradient towards the zenith."""
    pale = torch.tensor([0.55, 0.68, 0.8])[:, None, None]
    if not look.texture:
        return pale.expand(-1, scenes.sizes.shape[-1], rays.shape[-1])
    low, high = random.between(0.2, 0.9, "horizon", 3)[:, :, None], random.between(0.1, 0.7, "zenith", 3)[:, :, None]
    height = (4 * dot(unit(rays), scenes.up[:, :, None])).clamp(0, 1)
    return low + height * (high - low)


def _of(values: Tensor, kind: Tensor) -> Tensor:
    """What belongs to each ray's object: of values (objects, n) at kinds (n, rays)."""
    return values.T.gather(1, kind)
