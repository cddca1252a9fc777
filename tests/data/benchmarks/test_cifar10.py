"""CIFAR-10 from class folders and from the official files."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torchvision.datasets import CIFAR10

from isthmus.data.benchmarks.cifar10 import OBJECTS, cifar10
from isthmus.errors import DataError


def write_folders(root: Path, number: int = 2) -> None:
    """Image i of class k has the colour (k, i, 0)."""
    for split in ("train", "test"):
        for label, name in enumerate(OBJECTS.classes):
            folder = root / "cifar10" / split / name
            folder.mkdir(parents=True)
            for index in range(number):
                Image.new("RGB", (32, 32), (label, index, 0)).save(folder / f"{index}.png")


def test_class_folders(tmp_path: Path) -> None:
    write_folders(tmp_path)
    for split in ("train", "test"):
        images, labels = cifar10(tmp_path, split)
        assert images.shape == (20, 3, 32, 32)
        assert labels.tolist() == [label for label in range(10) for _ in range(2)]
        assert images[:, :2, 5, 5].tolist() == [[label, index] for label in range(10) for index in range(2)]


def test_wrong_folders(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"CIFAR-10's test images at `.*cifar10/test`.*lay it out as `cifar10/test/CLASS"
    ):
        cifar10(tmp_path, "test")
    write_folders(tmp_path)
    (tmp_path / "cifar10/train/cat/0.png").write_bytes(b"no image")
    with pytest.raises(DataError, match="1 of 20 cannot be read"):
        cifar10(tmp_path, "train")
    (tmp_path / "cifar10/train/cat").rename(tmp_path / "cifar10/train/tiger")
    with pytest.raises(DataError, match=r"Expected the class folders `airplane`.* but got .*`tiger`.*Rename"):
        cifar10(tmp_path, "train")


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


@pytest.mark.parametrize("inside", ["", "cifar10"])
def test_official_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inside: str) -> None:
    folder = tmp_path / inside / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    data = {name: random.integers(0, 256, (4, 3072), dtype=np.uint8) for name in ("one", "two", "test")}
    for name, values in data.items():
        (folder / name).write_bytes(pickle.dumps({"data": values, "labels": [3, 1, 4, 1]}))
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": list(OBJECTS.classes)}))
    monkeypatch.setattr(CIFAR10, "train_list", [[name, md5(folder / name)] for name in ("one", "two")])
    monkeypatch.setattr(CIFAR10, "test_list", [["test", md5(folder / "test")]])
    monkeypatch.setattr(CIFAR10, "meta", {**CIFAR10.meta, "md5": md5(folder / "batches.meta")})

    images, labels = cifar10(tmp_path, "train")
    assert labels.tolist() == [3, 1, 4, 1] * 2
    # the format: 1024 red values, row by row, then green, then blue
    np.testing.assert_array_equal(images[4:].flatten(1), data["two"])
    np.testing.assert_array_equal(cifar10(tmp_path, "test").images[0, 1, 2], data["test"][0, 1024 + 64 : 1024 + 96])
    (folder / "two").write_bytes(b"spoilt")
    with pytest.raises(DataError, match=r"official files of CIFAR-10 in .*corrupted.*Get them anew"):
        cifar10(tmp_path, "train")
