"""One image file to an upright 8-bit image, or an error that says what is wrong with the file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from isthmus.errors import DataError

if TYPE_CHECKING:
    from PIL.Image import Image

GREY_MODES = ("1", "L", "LA", "La")


class UnreadableImageError(DataError):
    """An image file that cannot be decoded; `path` and `reason` say which one and why."""

    path: Path
    reason: str

    @classmethod
    def of(cls, path: Path, reason: str) -> UnreadableImageError:
        error = cls(f"Image `{path}` cannot be read: {reason}. Replace the file or remove it.")
        error.path, error.reason = path, reason
        return error


def open_image(path: Path) -> Image:
    """The image in a file, fully decoded: upright, 8-bit grey ("L") or "RGB". Of an animation, the first frame.

    Raises:
        UnreadableImageError: the file is missing, truncated, corrupt or of an unknown format; a `DataError`.
    """
    from PIL import Image, ImageFile

    if ImageFile.LOAD_TRUNCATED_IMAGES:
        raise DataError(
            "Expected `PIL.ImageFile.LOAD_TRUNCATED_IMAGES` to be False, its default, but got True: half an image "
            "would pass for a whole one. Remove the line that sets it; `on_bad_image='skip'` leaves such files out."
        )
    try:
        with Image.open(path) as image:
            image.load()
            return plain_image(image)
    except Exception as error:  # a corrupt file makes Pillow raise nearly anything, struct.error and IndexError too
        raise UnreadableImageError.of(path, _reason(path, error)) from error


def plain_image(image: Image) -> Image:
    """A decoded image, turned upright by its EXIF orientation, as 8-bit grey ("L") or "RGB".

    16-bit grey keeps its upper eight bits, rounded; transparent parts are laid over white; palette, CMYK and other
    colour spaces become RGB.

    Raises:
        DataError: pixels that have no 8-bit meaning: 32-bit whole numbers above 65535, or floating-point numbers.
    """
    from PIL import Image, ImageOps

    image = ImageOps.exif_transpose(image)
    if image.mode == "F" or image.mode.startswith("I"):
        return _eight_bit(image)
    colours = "L" if image.mode in GREY_MODES else "RGB"
    if image.mode in ("RGBA", "RGBa", "LA", "La", "PA") or "transparency" in image.info:
        image = image.convert("LA").convert("RGBA") if image.mode == "La" else image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert(colours)


def _eight_bit(image: Image) -> Image:
    """16-bit grey as 8-bit: 65535 becomes 255."""
    import numpy as np
    from PIL import Image

    pixels = np.asarray(image)
    if image.mode == "F" or pixels.min() < 0 or pixels.max() > 65535:
        raise DataError(
            f"expected 8-bit or 16-bit pixels, but got {pixels.dtype} from {pixels.min()} to {pixels.max()}"
        )
    return Image.fromarray(np.rint(pixels / 257.0).astype(np.uint8))


def _reason(path: Path, error: Exception) -> str:
    from PIL import UnidentifiedImageError

    if isinstance(error, UnidentifiedImageError):
        return "the file is empty" if path.stat().st_size == 0 else "the file is no image of a format known to Pillow"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error).strip().partition("\n")[0] or type(error).__name__
