"""Folders of small images."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Makes a folder with images of a shade and a white corner: `make("a", cat=3, dog=2)`, or flat: `make("b", 4)`."""

    def make(name: str, flat: int = 0, /, *, side: int = 20, **classes: int) -> Path:
        root = tmp_path / name
        shade = 0
        for folder, number in [("", flat), *classes.items()]:
            (root / folder).mkdir(parents=True, exist_ok=True)
            for index in range(number):
                image = Image.new("RGB", (side, side), (shade, shade, shade))
                image.putpixel((side - 1, side - 1), (255, 255, 255))
                image.save(root / folder / f"{index}.png")
                shade += 1
        return root

    return make
