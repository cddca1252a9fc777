"""Small folders of images with labels of pixels, and problem files that point at them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

ROOMS = """\
size: 32
backbone: pyramid:width=8,decoder=8
recipe: {epochs: 1, batch_size: 2}
tasks:
  segmentation: {classes: [floor, wall]}
source:
  images: synthetic/images
  labels: {normals: synthetic/normals, segmentation: synthetic/classes}
target:
  images: real/images
  labels: {segmentation: real/classes}
  oracle: {normals: real/normals}
exam:
  images: real/images
  labels: {normals: real/normals, segmentation: real/classes}
"""


def write_rooms(root: Path, text: str = ROOMS, *, count: int = 4, width: int = 64, height: int = 48) -> Path:
    """Images with normals and classes as PNG and depths in two domains, and a problem file; returns its path."""
    for seed, domain in enumerate(("synthetic", "real")):
        random = np.random.default_rng(seed)
        for kind in ("images", "normals", "classes", "depths"):
            (root / domain / kind).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            image = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
            Image.fromarray(image).save(root / domain / "images" / f"{number}.png")
            classes = random.integers(0, 2, (height // 8, width // 8), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
            Image.fromarray(classes).save(root / domain / "classes" / f"{number}.png")
            np.save(root / domain / "depths" / f"{number}.npy", 0.25 + 0.5 * classes)
            normals = np.where(classes[..., None] == 1, [0.0, 0.0, -1.0], [0.0, -1.0, 0.0])
            Image.fromarray(as_colours(normals)).save(root / domain / "normals" / f"{number}.png")
    file = root / "rooms.yaml"
    file.write_text(text)
    return file


def as_colours(normals: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Normals (height, width, 3) as 8-bit RGB."""
    return np.rint((normals + 1) / 2 * 255).astype(np.uint8)
