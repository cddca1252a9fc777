"""The numbers in label files: as they are stored, whatever the container."""

from __future__ import annotations

import sys
from pathlib import Path
from struct import pack
from zlib import compress, crc32

import numpy as np
import pytest
from PIL import Image

from isthmus.data.readers.pixels.label_files import MAPS, read_array
from isthmus.errors import DataError

PTS = "version: 1\nn_points:  3\n{\n1 1\n10.5 20.25\n\n3e1 4\n}\n"


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_grey_images_keep_all_their_bits(tmp_path: Path, dtype: type) -> None:
    values = np.array([[0, 1, 255], [7, 128, np.iinfo(dtype).max]], dtype=dtype)
    Image.fromarray(values).save(tmp_path / "a.png")
    read = read_array(tmp_path / "a.png")
    assert read.dtype == dtype
    np.testing.assert_array_equal(read, values)


def test_images_with_a_palette_give_indices_and_those_of_one_bit_numbers(tmp_path: Path) -> None:
    indices = np.array([[0, 2], [1, 2]], dtype=np.uint8)
    image = Image.fromarray(indices).convert("P")
    image.putpalette([200, 0, 0, 0, 200, 0, 0, 0, 200])
    image.putdata(indices.flatten().tolist())
    image.save(tmp_path / "palette.png")
    np.testing.assert_array_equal(read_array(tmp_path / "palette.png"), indices)
    see_through = np.dstack([indices, indices, indices, 255 * indices]).astype(np.uint8)
    Image.fromarray(see_through).save(tmp_path / "rgba.png")
    np.testing.assert_array_equal(read_array(tmp_path / "rgba.png"), see_through[..., :3])
    Image.fromarray(indices > 0).save(tmp_path / "mask.png")
    np.testing.assert_array_equal(read_array(tmp_path / "mask.png"), [[0, 1], [1, 1]])


@pytest.mark.parametrize(("bits", "row"), [(2, [0b00011011]), (4, [0x01, 0x23])])
def test_grey_of_few_bits_keeps_its_numbers(tmp_path: Path, bits: int, row: list[int]) -> None:
    """A PNG of one row, 0 1 2 3, written chunk by chunk: Pillow writes no such files."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return pack(">I", len(content)) + name + content + pack(">I", crc32(name + content))

    header = pack(">IIBBBBB", 4, 1, bits, 0, 0, 0, 0)
    image = chunk(b"IHDR", header) + chunk(b"IDAT", compress(bytes([0, *row]))) + chunk(b"IEND", b"")
    (tmp_path / "few.png").write_bytes(b"\x89PNG\r\n\x1a\n" + image)
    assert read_array(tmp_path / "few.png").tolist() == [[0, 1, 2, 3]]


def test_formats_that_change_what_was_written_hold_no_labels() -> None:
    lossy = {suffix for suffix, kind in Image.registered_extensions().items() if kind in ("JPEG", "JPEG2000", "WEBP")}
    assert ".jpg" in lossy
    assert not lossy & MAPS


def test_points_are_counted_from_one_at_the_middle_of_a_pixel(tmp_path: Path) -> None:
    (tmp_path / "a.pts").write_text(PTS)
    np.testing.assert_allclose(read_array(tmp_path / "a.pts"), [[0.5, 0.5], [10.0, 19.75], [29.5, 3.5]])


def test_exr_files_hold_floats(tmp_path: Path) -> None:
    exr = pytest.importorskip("OpenEXR")
    header = {"compression": exr.ZIP_COMPRESSION, "type": exr.scanlineimage}
    normals = np.random.default_rng(0).normal(size=(3, 5, 4)).astype(np.float32)
    for names in ("RGB", "XYZ"):
        exr.File(header, dict(zip(names, normals))).write(str(tmp_path / f"{names}.exr"))
        np.testing.assert_array_equal(read_array(tmp_path / f"{names}.exr"), normals.transpose(1, 2, 0))
    exr.File(header, {"Z": normals[0]}).write(str(tmp_path / "depth.exr"))
    np.testing.assert_array_equal(read_array(tmp_path / "depth.exr"), normals[0])
    exr.File(header, {"A": normals[0], "Z": normals[1]}).write(str(tmp_path / "two.exr"))
    with pytest.raises(DataError, match=r"two.exr`: expected channels R, G, B or X, Y, Z, or one, but got A, Z\."):
        read_array(tmp_path / "two.exr")


def test_exr_files_without_their_package_name_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "OpenEXR", None)
    with pytest.raises(DataError, match=r"a.exr`: EXR files need a package more. Run `pip install 'isthmus\[exr\]'`\."):
        read_array(tmp_path / "a.exr")


def test_damaged_files_are_named(tmp_path: Path) -> None:
    np.save(tmp_path / "object.npy", np.array([{"a": 1}]), allow_pickle=True)
    (tmp_path / "cut.npy").write_bytes(b"\x93NUMPY")
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "words.pts").write_text("{\none two\n}")
    for name in ("object.npy", "cut.npy", "text.png", "words.pts", "missing.npy"):
        with pytest.raises(DataError, match=f"Label file `.*{name}` cannot be read: .*Replace it"):
            read_array(tmp_path / name)
    (tmp_path / "open.pts").write_text("{\n1 2\n")
    with pytest.raises(DataError, match=r"open.pts`: expected one pair of braces around the points"):
        read_array(tmp_path / "open.pts")
