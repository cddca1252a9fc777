"""Image files of every kind that people have, with pixel values known beforehand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFile

from isthmus.data.readers.decode import UnreadableImageError, open_image
from isthmus.errors import DataError


def noise(*shape: int, dtype: type = np.uint8) -> np.ndarray:
    return np.random.default_rng(0).integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)


def test_grey_and_rgb_are_left_alone(tmp_path: Path) -> None:
    for shape, mode in (((5, 7), "L"), ((5, 7, 3), "RGB")):
        pixels = noise(*shape)
        Image.fromarray(pixels).save(tmp_path / "image.png")
        image = open_image(tmp_path / "image.png")
        assert image.mode == mode
        np.testing.assert_array_equal(np.asarray(image), pixels)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bit_grey_is_scaled_not_clipped(tmp_path: Path, suffix: str) -> None:
    pixels = np.array([[0, 257, 1000], [32768, 65534, 65535]], dtype=np.uint16)
    Image.fromarray(pixels).save(tmp_path / f"image.{suffix}")
    image = open_image(tmp_path / f"image.{suffix}")
    assert image.mode == "L"
    np.testing.assert_array_equal(np.asarray(image), [[0, 1, 4], [128, 255, 255]])


def test_32_bit_integers_within_16_bits_are_scaled(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 65535]], dtype=np.int32)).save(tmp_path / "image.tif")
    np.testing.assert_array_equal(np.asarray(open_image(tmp_path / "image.tif")), [[0, 255]])


@pytest.mark.parametrize("pixels", [np.array([[0, 70000]], dtype=np.int32), np.array([[0.5, 1]], dtype=np.float32)])
def test_pixels_without_an_8_bit_meaning_are_refused(tmp_path: Path, pixels: np.ndarray) -> None:
    Image.fromarray(pixels).save(tmp_path / "image.tif")
    with pytest.raises(DataError, match=r"image\.tif.*expected 8-bit or 16-bit pixels, but got"):
        open_image(tmp_path / "image.tif")


def test_alpha_is_laid_over_white(tmp_path: Path) -> None:
    pixels = np.array([[[10, 20, 30, 255], [10, 20, 30, 0], [0, 0, 0, 51]]], dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "image.png")
    image = open_image(tmp_path / "image.png")
    assert image.mode == "RGB"
    np.testing.assert_array_equal(np.asarray(image), [[[10, 20, 30], [255] * 3, [204] * 3]])  # 255 · (1 − 51/255)


def test_grey_with_alpha_stays_grey(tmp_path: Path) -> None:
    Image.fromarray(np.array([[[100, 255], [100, 0]]], dtype=np.uint8)).save(tmp_path / "image.png")
    image = open_image(tmp_path / "image.png")
    assert image.mode == "L"
    np.testing.assert_array_equal(np.asarray(image), [[100, 255]])


@pytest.mark.parametrize("transparent", [False, True])
def test_palette(tmp_path: Path, transparent: bool) -> None:
    image = Image.fromarray(np.array([[0, 1, 2]], dtype=np.uint8))
    image = image.convert("P")
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    image.save(tmp_path / "image.png", **({"transparency": 1} if transparent else {}))
    read = open_image(tmp_path / "image.png")
    assert read.mode == "RGB"
    middle = [255, 255, 255] if transparent else [0, 255, 0]
    np.testing.assert_array_equal(np.asarray(read), [[[255, 0, 0], middle, [0, 0, 255]]])


def test_cmyk(tmp_path: Path) -> None:
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(tmp_path / "image.jpg", quality=100)
    image = open_image(tmp_path / "image.jpg")
    assert image.mode == "RGB"
    np.testing.assert_allclose(np.asarray(image)[8, 8], [255, 0, 0], atol=3)


def test_bilevel_becomes_black_and_white_grey(tmp_path: Path) -> None:
    Image.fromarray(np.array([[True, False]])).save(tmp_path / "image.png")
    np.testing.assert_array_equal(np.asarray(open_image(tmp_path / "image.png")), [[255, 0]])


@pytest.mark.parametrize(("orientation", "turns"), [(1, 0), (3, 2), (6, 3), (8, 1)])
def test_exif_orientation_is_applied(tmp_path: Path, orientation: int, turns: int) -> None:
    pixels = np.zeros((16, 32), dtype=np.uint8)
    pixels[:8, :8] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(tmp_path / "image.jpg", exif=exif, quality=100)
    np.testing.assert_allclose(np.asarray(open_image(tmp_path / "image.jpg")), np.rot90(pixels, turns), atol=8)


def test_exif_orientation_of_16_bit_grey(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 3
    Image.fromarray(np.array([[0, 65535]], dtype=np.uint16)).save(tmp_path / "image.png", exif=exif)
    np.testing.assert_array_equal(np.asarray(open_image(tmp_path / "image.png")), [[255, 0]])


@pytest.mark.parametrize("share", [0.3, 0.7, 0.97])
@pytest.mark.parametrize("suffix", ["jpg", "png", "gif", "bmp", "tif", "webp", "ppm"])
def test_truncated_files_are_refused_by_name(tmp_path: Path, suffix: str, share: float) -> None:
    path = tmp_path / f"image.{suffix}"
    Image.fromarray(noise(48, 48, 3)).save(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(UnreadableImageError, match=rf"Image `.*image\.{suffix}` cannot be read: .*Replace") as caught:
        open_image(path)
    assert caught.value.path == path


def test_other_unreadable_files(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("not an image")
    (tmp_path / "empty.jpg").touch()
    for name, reason in (
        ("text.jpg", "no image of a format"),
        ("empty.jpg", "the file is empty"),
        ("none.jpg", "no such file"),
    ):
        with pytest.raises(DataError, match=reason):
            open_image(tmp_path / name)


def test_pillow_told_to_accept_truncated_files_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    with pytest.raises(DataError, match="LOAD_TRUNCATED_IMAGES"):
        open_image(tmp_path / "any.jpg")


def test_the_error_survives_a_worker_process() -> None:
    error = UnreadableImageError.of(Path("a.jpg"), "why")
    assert str(UnreadableImageError(str(error))) == str(error)  # how PyTorch raises it again
