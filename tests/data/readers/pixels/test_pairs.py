"""Which label file belongs to which image."""

from __future__ import annotations

from pathlib import Path

import pytest

from isthmus.data.readers.pixels.pairs import named_files, numbered_files, paired
from isthmus.errors import DataError


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_folders_pair_by_path_without_suffix(tmp_path: Path) -> None:
    touch(tmp_path, "images/b/1.jpg", "images/a/1.jpg", "images/.hidden.jpg", "images/notes.txt", "labels/a/1.png")
    touch(tmp_path, "labels/b/1.npy", "labels/c/1.npy")
    images = named_files(tmp_path / "images", {".jpg"})
    assert list(images) == ["a/1", "b/1"]
    labels = named_files(tmp_path / "labels", {".png", ".npy"})
    assert paired(images, labels) == (tmp_path / "labels/a/1.png", tmp_path / "labels/b/1.npy")


def test_patterns_pair_by_what_the_star_stands_for(tmp_path: Path) -> None:
    touch(tmp_path, "2_rgb.png", "10_rgb.png", "2_normal.png", "10_normal.png", "2_depth.png")
    images, normals = (named_files(tmp_path / f"*_{kind}.png", {".png"}) for kind in ("rgb", "normal"))
    assert list(images) == ["10", "2"]
    assert [path.name for path in paired(images, normals)] == ["10_normal.png", "2_normal.png"]
    touch(tmp_path, "scene 1/rgb.png", "scene 2/rgb.png")
    assert list(named_files(tmp_path / "scene */rgb.png", {".png"})) == ["1", "2"]


def test_hidden_files_and_folders_are_left_out(tmp_path: Path) -> None:
    root = tmp_path / ".cache"  # named by the user, so no reason to pass over what is in it
    touch(root, "a/0_rgb.png", "a/.1_rgb.png", ".ipynb_checkpoints/0_rgb.png", "__MACOSX/a/2_rgb.png")
    touch(root, "a/.ipynb_checkpoints/0_rgb-checkpoint.png", "a.b/3_rgb.png")
    assert list(named_files(root, {".png"})) == ["a.b/3_rgb", "a/0_rgb"]
    assert list(named_files(root / "a" / "*_rgb.png", {".png"})) == ["0"]
    assert list(named_files(root / "*" / "0_rgb.png", {".png"})) == ["a"]
    assert list(named_files(root / "a*" / "3_rgb.png", {".png"})) == [".b"]


def test_numbers_pair_whatever_stands_before_them(tmp_path: Path) -> None:
    touch(tmp_path, "train/00002.png", "test/nm_00012.png")
    assert {number: path.name for number, path in numbered_files(tmp_path, {".png"}).items()} == {
        2: "00002.png",
        12: "nm_00012.png",
    }


def test_what_does_not_pair_is_refused(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "images/1.png",
        "images/2.png",
        "labels/1.png",
        "twice/1.png",
        "twice/1.npy",
        "none/a.txt",
        "words/x.png",
    )
    images = named_files(tmp_path / "images", {".png"})
    with pytest.raises(
        DataError, match=r"for each of 2 images, but got none for 1, such as `.*images/2.png`; the label files"
    ):
        paired(images, named_files(tmp_path / "labels", {".png"}))
    with pytest.raises(DataError, match=r"`.*images/1.png` would be both\. Tell them by a `\*`"):
        paired(images, named_files(tmp_path / "images", {".png"}))
    with pytest.raises(DataError, match=r"expected one file called `1`, but got .*1.npy` and .*1.png`"):
        named_files(tmp_path / "twice", {".png", ".npy"})
    with pytest.raises(DataError, match="but got a folder without any"):
        named_files(tmp_path / "none", {".png"})
    with pytest.raises(DataError, match=r"but got nothing\. Check the path"):
        named_files(tmp_path / "nowhere", {".png"})
    with pytest.raises(DataError, match="but got nothing that matches"):
        named_files(tmp_path / "images/*_rgb.png", {".png"})
    with pytest.raises(DataError, match=r"expected one `\*`"):
        named_files(tmp_path / "*/*.png", {".png"})
    with pytest.raises(DataError, match=r"names that end in a number, such as `00012.png`, but got `.*x.png`"):
        numbered_files(tmp_path / "words", {".png"})
