"""The digit readers on small files in the official formats."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from formats import (
    usps_values,
    write_idx,
    write_mnist,
    write_mnist_m,
    write_svhn,
    write_usps_h5,
    write_usps_libsvm,
)
from PIL import Image

from isthmus.data.benchmarks import digits, download
from isthmus.data.benchmarks.mnist import LabelledImages, mnist, read_idx
from isthmus.data.benchmarks.mnist_m import mnist_m
from isthmus.data.benchmarks.svhn import svhn
from isthmus.data.benchmarks.usps import usps
from isthmus.data.inputs import ImageInput
from isthmus.data.problems import Problem
from isthmus.errors import DataError


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(url: str, timeout: float) -> None:
        raise OSError("offline")

    monkeypatch.setattr(download, "urlopen", refuse)


def stored(problem: Problem, place: int) -> torch.Tensor:
    samples = problem.domains[place].samples
    return samples.read(torch.arange(len(samples)), torch.Generator())


@pytest.mark.parametrize(
    ("folder", "suffix"), [("mnist", ".gz"), ("mnist", ""), ("MNIST/raw", ""), ("MNIST/raw", ".gz")]
)
def test_mnist_layouts(tmp_path: Path, folder: str, suffix: str) -> None:
    images = write_mnist(tmp_path, folder=folder, suffix=suffix)
    for split in ("train", "test"):
        read = mnist(tmp_path, split)
        np.testing.assert_array_equal(read.images[:, 0], images)
        assert read.labels.tolist() == [index % 10 for index in range(30)]


def test_mnist_missing_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"train-images-idx3-ubyte\.gz` to .*\(offline\).*put it at `.*mnist/train-images"
    ):
        mnist(tmp_path, "train")


def test_broken_idx_files(tmp_path: Path) -> None:
    path = tmp_path / "file.gz"
    write_idx(path, np.zeros((3, 4, 4), dtype=np.uint8))
    whole = path.read_bytes()
    path.write_bytes(whole[:-10])
    with pytest.raises(DataError, match=r"`.*file\.gz` cannot be read"):
        read_idx(path)
    for content, message in ((b"", "another format"), (b"\0\0\x0d\x01\0\0\0\0", "another format")):
        path.write_bytes(content)
        with pytest.raises(DataError, match=message):
            read_idx(path)
    plain = tmp_path / "plain"
    write_idx(plain, np.zeros((3, 4, 4), dtype=np.uint8))
    plain.write_bytes(plain.read_bytes()[:-1])
    with pytest.raises(DataError, match=r"Expected 48 values .* but got 47"):
        read_idx(plain)
    write_mnist(tmp_path)
    write_idx(tmp_path / "mnist" / "train-labels-idx1-ubyte.gz", np.zeros(7, dtype=np.uint8))
    with pytest.raises(DataError, match=r"\(30, 28, 28\) and \(7,\)"):
        mnist(tmp_path, "train")


def test_usps_of_both_formats_is_the_same(tmp_path: Path) -> None:
    values = usps_values()
    write_usps_libsvm(tmp_path / "a" / "usps.bz2", values)
    write_usps_libsvm(tmp_path / "b" / "usps" / "usps.bz2", values)
    write_usps_h5(tmp_path / "c" / "usps" / "usps.h5", values)
    expected = (values + 1) / 2 * 255
    for root in ("a", "b", "c"):
        images, labels = usps(tmp_path / root, "train")
        assert images.shape == (20, 1, 16, 16)
        assert images.dtype == torch.uint8
        np.testing.assert_allclose(images.flatten(1), expected, atol=0.5 + 1e-6)
        assert labels.tolist() == [index % 10 for index in range(20)]
        assert torch.equal(images, usps(tmp_path / "a", "train").images)


def test_broken_usps(tmp_path: Path) -> None:
    (tmp_path / "usps.bz2").write_bytes(b"BZh9 not so")
    with pytest.raises(DataError, match=r"`.*usps\.bz2` cannot be read as USPS digits"):
        usps(tmp_path, "train")
    (tmp_path / "usps").mkdir()
    (tmp_path / "usps" / "usps.h5").write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"`.*usps\.h5` cannot be read"):
        usps(tmp_path, "test")


@pytest.mark.parametrize("official", [False, True])
def test_mnist_m(tmp_path: Path, official: bool) -> None:
    write_mnist_m(tmp_path, official=official)
    images, labels = mnist_m(tmp_path, "train", ImageInput.plain(3, 28), first=7)
    assert images.shape == (7, 3, 28, 28)
    assert images[:, 0, 5, 5].tolist() == list(range(7))
    assert labels.tolist() == list(range(7))


def test_mnist_m_that_is_missing_or_broken(tmp_path: Path) -> None:
    input = ImageInput.plain(3, 28)
    with pytest.raises(
        DataError, match=r"MNIST-M's train images at `.*mnist_m`.*not downloaded for you.*train_labels\.txt"
    ):
        mnist_m(tmp_path, "train", input)
    write_mnist_m(tmp_path)
    (tmp_path / "mnist_m" / "train" / "00000003.png").unlink()
    with pytest.raises(DataError, match=r"1 of 12 cannot be read: `.*00000003\.png` \(no such file"):
        mnist_m(tmp_path, "train", input)
    (tmp_path / "mnist_m" / "test_labels.txt").write_text("00000000.png\n")
    with pytest.raises(DataError, match=r"lines `file digit` in .* but got `00000000\.png`"):
        mnist_m(tmp_path, "test", input)


def test_svhn_label_10_is_the_digit_0(tmp_path: Path) -> None:
    images = write_svhn(tmp_path)
    read = svhn(tmp_path, "train")
    assert read.labels.tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0] * 2
    np.testing.assert_array_equal(read.images[7, 1], images[:, :, 1, 7])
    path = tmp_path / "svhn" / "test_32x32.mat"
    path.write_bytes(path.read_bytes()[:500])
    with pytest.raises(DataError, match=r"`.*test_32x32\.mat` cannot be read"):
        svhn(tmp_path, "test")


def test_draw_is_a_fixed_subset_without_repetition() -> None:
    data = LabelledImages(torch.arange(50).view(50, 1, 1, 1), torch.arange(50))
    drawn = digits.draw(data, 20)
    assert len(set(drawn.labels.tolist())) == 20
    assert torch.equal(drawn.images.flatten(), drawn.labels)
    assert torch.equal(drawn.labels, digits.draw(data, 20).labels)
    assert drawn.labels.tolist() != sorted(drawn.labels.tolist())
    assert len(digits.draw(data, 99).labels) == 50


def test_mnist_usps_is_resized_bilinearly_and_has_no_target_labels(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    write_usps_h5(tmp_path / "usps" / "usps.h5", usps_values())
    problem = digits.mnist_usps_full(tmp_path)
    assert [domain.name for domain in problem.domains] == ["mnist", "usps"]
    assert problem.target.labels is None
    small = usps(tmp_path, "train").images[4, 0].numpy()
    enlarged = np.asarray(Image.fromarray(small).resize((28, 28), Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(stored(problem, 1)[4, 0], enlarged)
    assert problem.exam is not None
    assert problem.exam.labels.values.tolist() == [index % 10 for index in range(20)]
    recipe = digits.usps_mnist(tmp_path).recipe
    assert (recipe.batch_size, recipe.optimizer, recipe.lr, recipe.weight_decay) == (128, "sgd", 0.02, 5e-4)
    assert (recipe.schedule, recipe.epochs) == ("annealed", 60)


def test_no_digit_of_mnist_m_is_in_the_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digits, "MNIST_M_DIGITS", 10)
    write_mnist(tmp_path, 30)
    write_mnist_m(tmp_path, 12)
    problem = digits.mnist_mnist_m(tmp_path)
    assert stored(problem, 0)[:, 2, 0, 0].tolist() == list(range(10, 30))  # shade i is digit i
    assert stored(problem, 1)[:, 0, 0, 0].tolist() == list(range(10))
    assert problem.input.shape == (3, 28, 28)


def test_svhn_mnist(tmp_path: Path) -> None:
    write_svhn(tmp_path)
    write_mnist(tmp_path)
    problem = digits.svhn_mnist(tmp_path)
    assert problem.input.shape == (3, 32, 32)
    assert problem.backbone == "svhn"
    assert stored(problem, 1)[:, 1, 9, 9].tolist() == list(range(30))
