"""Folders of small images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = ("chat noir", "chien", "été")


def write_images(folder: Path, number: int = 6, *, seed: int = 0, bright: int = 0) -> None:
    """16×16 images of noise with a bright stripe at `bright`."""
    random = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    for position in range(number):
        pixels = random.integers(0, 80, (16, 16, 3), dtype=np.uint8)
        pixels[:, bright : bright + 4] = 220
        Image.fromarray(pixels).save(folder / f"image {position}.png")


def write_classes(folder: Path, classes: tuple[str, ...] = CLASSES, *, seed: int = 0) -> Path:
    """A folder of six images for each class."""
    for place, name in enumerate(classes):
        write_images(folder / name, seed=seed + place, bright=5 * place)
    return folder
