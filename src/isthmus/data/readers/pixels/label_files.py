"""The numbers in one label file: PNG and its like, NPY, EXR, or points as PTS."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isthmus.data.readers.image_folder import SUFFIXES as IMAGES
from isthmus.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

LOSSLESS = IMAGES - {".jfif", ".jpe", ".jpeg", ".jpg", ".webp"}
"""Suffixes of images whose pixels are what was written."""
MAPS = LOSSLESS | {".npy", ".exr"}
"""Suffixes of files with a value for each pixel."""
POINTS = frozenset((".npy", ".pts"))
"""Suffixes of files with points."""


def read_array(path: Path) -> NDArray[Any]:
    """Pixels (height, width) or (height, width, channels) as they are stored; points (points, 2) of a PTS file.

    Of an image with a palette, the indices; of one of a single bit, booleans. Points of a PTS file are counted from 1,
    at the middle of a pixel; here the image spans 0 to its width, so that the middle of the first pixel is at 0.5.

    Raises:
        DataError: the file is missing, damaged, or needs a package that is not installed.
    """
    try:
        return _READERS.get(path.suffix.lower(), _read_image)(path)
    except DataError:
        raise
    except Exception as error:  # a damaged file makes decoders raise nearly anything
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise DataError(f"Label file `{path}` cannot be read: {reason}. Replace it.") from error


_PLAIN = {"LA": "L", "RGBA": "RGB"}
"""Modes that are read as others: what is transparent has its numbers all the same."""

_STRETCHED = {"L;2": 85, "L;4": 17}
"""How grey of so many bits is stored, and by what Pillow multiplies it to numbers up to 255."""


def _read_image(path: Path) -> NDArray[Any]:
    import numpy as np
    from PIL import Image

    with Image.open(path) as image:
        stored = str(image.tile[0][3]) if image.tile else ""
        pixels = np.array(image.convert(_PLAIN.get(image.mode, image.mode)))
    return pixels // _STRETCHED[stored] if stored in _STRETCHED else pixels


def _read_npy(path: Path) -> NDArray[Any]:
    import numpy as np

    array: NDArray[Any] = np.load(path, allow_pickle=False)
    return array


def _read_exr(path: Path) -> NDArray[Any]:
    """Its colours, its x, y and z, or its only channel."""
    import numpy as np

    try:
        import OpenEXR
    except ImportError as error:
        raise DataError(f"`{path}`: EXR files need a package more. Run `pip install 'isthmus[exr]'`.") from error
    with OpenEXR.File(str(path), separate_channels=True) as file:
        channels = {name.rpartition(".")[2].upper(): channel.pixels for name, channel in file.channels().items()}
    for names in ("RGB", "XYZ"):
        if set(names) <= channels.keys():
            return np.stack([channels[name] for name in names], axis=-1)
    if len(channels) > 1:
        raise DataError(f"`{path}`: expected channels R, G, B or X, Y, Z, or one, but got {', '.join(channels)}.")
    return np.asarray(next(iter(channels.values())))


def _read_pts(path: Path) -> NDArray[Any]:
    import numpy as np

    text = path.read_text()
    if text.count("{") != 1 or text.count("}") != 1:
        raise DataError(f"`{path}`: expected one pair of braces around the points, as PTS files have.")
    lines = text[text.index("{") + 1 : text.index("}")].split("\n")
    return np.array([[float(number) for number in line.split()] for line in lines if line.strip()]) - 0.5


_READERS: dict[str, Callable[[Path], NDArray[Any]]] = {".npy": _read_npy, ".exr": _read_exr, ".pts": _read_pts}
