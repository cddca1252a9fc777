"""Scenes as tensors: images and everything that is exactly known about them."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from isthmus.checks import at_least
from isthmus.data.shapes.camera import photographed
from isthmus.data.shapes.keypoints import keypoints
from isthmus.data.shapes.looks import SUBPIXELS, SYNTHETIC, Look, shaded
from isthmus.data.shapes.randomness import Random
from isthmus.data.shapes.rays import seen
from isthmus.data.shapes.scenes import UPRIGHT, Poses, pixel_rays, sampled
from isthmus.functional.pixelwise import IGNORED

CHUNK = 8
"""Scenes drawn at a time: what they need at once stays in a processor's cache."""


@dataclass(frozen=True)
class Shapes:
    """n scenes, in camera coordinates: x to the right, y down, z forward.

    Attributes:
        images: (n, 3, size, size) uint8.
        normals: (n, 3, size, size) unit, towards the camera; zero where not valid.
        depth: (n, size, size) along z; zero where not valid.
        valid: (n, size, size) where there is a surface; the rest is sky.
        segmentation: (n, size, size) number in `KINDS`, or 255 for the sky.
        keypoints: (n, 8, 3) x and y in pixels, from 0 to `size`, and depth, of each of `KEYPOINTS`.
        visible: (n, 8) whether a keypoint is inside the image and nothing hides it.
    """

    images: Tensor
    normals: Tensor
    depth: Tensor
    valid: Tensor
    segmentation: Tensor
    keypoints: Tensor
    visible: Tensor


def render(scenes: Tensor, *, seed: int = 0, look: Look = SYNTHETIC, poses: Poses = UPRIGHT, size: int = 64) -> Shapes:
    """Draw scenes by their numbers (n,). A scene is a function of its number and `seed`, whatever is drawn with it.

    Looks do not move anything: the same scenes under two looks have equal normals, depth, segmentation and keypoints.

    Args:
        scenes: (n,) numbers, of int64.
        seed: of the data set.
        look: how they are drawn.
        poses: how they are arranged.
        size: of the images, in pixels.

    Raises:
        OptionError: no scene, or a size below 1.
    """
    at_least(1, size=size, scenes=len(scenes))
    chunks = [_chunk(Random(seed, chunk), look, poses, size) for chunk in scenes.split(CHUNK)]
    return Shapes(*(torch.cat([getattr(chunk, field.name) for chunk in chunks]) for field in fields(Shapes)))


def _chunk(random: Random, look: Look, poses: Poses, size: int) -> Shapes:
    scenes = sampled(random, poses)
    at_pixels = seen(scenes, pixel_rays(size))

    rays = pixel_rays(size * SUBPIXELS)
    light = shaded(random, scenes, look, seen(scenes, rays), rays).clamp(max=1.5)  # a highlight is no more than a pixel
    fine = light.unflatten(2, (size, SUBPIXELS, size, SUBPIXELS))
    light = (fine[:, :, :, 0, :, 0] + fine[:, :, :, 0, :, 1] + fine[:, :, :, 1, :, 0] + fine[:, :, :, 1, :, 1]) / 4

    points, visible = keypoints(scenes, size)
    valid = at_pixels.valid
    return Shapes(
        images=photographed(random, look, light),
        normals=at_pixels.normals.transpose(0, 1).unflatten(2, (size, size)).contiguous(),
        depth=torch.where(valid, at_pixels.depth, 0).unflatten(1, (size, size)),
        valid=valid.unflatten(1, (size, size)),
        segmentation=torch.where(valid, at_pixels.kind, IGNORED).unflatten(1, (size, size)),
        keypoints=points,
        visible=visible,
    )
