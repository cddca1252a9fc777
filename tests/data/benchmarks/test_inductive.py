"""The inductive problems: classes that differ, splits that do not meet, and draws that stay."""

from __future__ import annotations

import urllib.request
from pathlib import Path

import numpy as np
import pytest
import torch
from formats import AIRCRAFT, write_aircraft, write_caltech101, write_mnist, write_notmnist
from sklearn.datasets import load_digits
from torch import Tensor

from isthmus.data.benchmarks import download, load_problem
from isthmus.data.benchmarks.aircraft import aircraft
from isthmus.data.benchmarks.caltech101 import caltech101, caltech101_few
from isthmus.data.benchmarks.digits_others import digits_others
from isthmus.data.benchmarks.notmnist_mnist import notmnist_mnist
from isthmus.data.loaders import steps_per_epoch
from isthmus.data.problems import Domain, Exam, Problem
from isthmus.data.tasks import Setting
from isthmus.errors import DataError


@pytest.fixture(autouse=True)
def _offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise OSError("offline")

    monkeypatch.setattr(download, "urlopen", refuse)
    monkeypatch.setattr(urllib.request, "urlopen", refuse)


def images(part: Domain | Exam | None) -> Tensor:
    assert part is not None
    return part.samples.read(torch.arange(len(part.samples)), torch.Generator())


def names(part: Domain | Exam | None) -> list[str]:
    """The class of each sample."""
    assert part is not None
    assert part.labels is not None
    return [part.labels.task.classes[label] for label in part.labels.values]


def counts(part: Domain | Exam | None) -> list[int]:
    assert part is not None
    assert part.labels is not None
    return part.labels.values.bincount().tolist()


def check(problem: Problem) -> None:
    """What all of them have in common."""
    assert problem.setting is Setting.INDUCTIVE
    assert problem.source.labels is not None
    assert problem.exam is not None
    assert problem.exam.labels.task == problem.task
    assert problem.exam.name == problem.target.name
    assert not problem.exam.transductive
    assert not set(problem.source.labels.task.classes) & set(problem.task.classes)
    assert steps_per_epoch(problem) == problem.recipe.steps_per_epoch  # no domain is smaller than a batch


def rows(part: Domain | Exam | None) -> set[bytes]:
    return {image.numpy().tobytes() for image in images(part)}


def test_digits_others() -> None:
    problem, validation = digits_others(), digits_others(measured_on="validation")
    check(problem)
    assert set(names(problem.source)) == set("012345")
    assert counts(problem.target) == [5] * 4
    assert counts(validation.exam) == [50] * 4
    # scikit-learn has 181, 179, 174 and 180 of these digits; 55 of each are for training and validation
    assert counts(problem.exam) == [126, 124, 119, 125]
    assert validation.name == "digits-others:validation"
    assert torch.equal(images(validation.target), images(problem.target))
    parts = [rows(part) for part in (problem.source, problem.target, validation.exam, problem.exam)]
    assert len(set.union(*parts)) == sum(map(len, parts)) == 1797  # all digits, none in two parts
    assert torch.equal(images(problem.exam), images(digits_others().exam))


def test_digits_others_shows_scikit_learns_digits_enlarged() -> None:
    problem, bunch = digits_others(), load_digits()
    expected = bunch.images[bunch.target < 6]
    found = images(problem.source)
    assert found.shape == (1083, 1, 20, 20)
    assert names(problem.source) == [str(digit) for digit in bunch.target[bunch.target < 6]]
    np.testing.assert_allclose(found.double().mean((1, 2, 3)) / 255, expected.mean((1, 2)) / 16, atol=0.02)
    assert int(found.max()) == 255


@pytest.mark.parametrize("split", ["train", "test"])
def test_notmnist_mnist(tmp_path: Path, split: str) -> None:
    """MNIST's image i shows the digit i % 10 in shade i."""
    write_mnist(tmp_path, 250)
    write_notmnist(tmp_path, "test", 40)
    letters = write_notmnist(tmp_path, split, 50)
    problem, validation = (
        load_problem("notmnist-mnist:5", tmp_path),
        notmnist_mnist("5", tmp_path, measured_on="validation"),
    )
    check(problem)
    np.testing.assert_array_equal(images(problem.source)[:, 0], letters)
    assert names(problem.source)[:11] == list("ABCDEFGHIJA")
    assert counts(problem.target) == [5] * 10
    assert names(problem.target) == [str(int(image[0, 0, 0]) % 10) for image in images(problem.target)]
    assert counts(problem.exam) == [25] * 10
    assert problem.notes == (f"source: notMNIST's {split} set, 50 images",)
    # the validation images are the other training images, up to 200 a digit
    shades = {int(image[0, 0, 0]) for part in (validation.target, validation.exam) for image in images(part)}
    assert shades == set(range(250))
    assert counts(validation.exam) == [20] * 10
    assert len(images(load_problem("notmnist-mnist:20", tmp_path).target)) == 200


def test_missing_and_broken_notmnist(tmp_path: Path) -> None:
    write_mnist(tmp_path)
    with pytest.raises(DataError, match=r"notMNIST's test images and labels at .*lay it out as `notmnist/t10k-images"):
        load_problem("notmnist-mnist:5", tmp_path)
    write_notmnist(tmp_path, "test")
    path = tmp_path / "notmnist" / "t10k-labels-idx1-ubyte.gz"
    whole = path.read_bytes()
    for content, message in ((b"", "another format"), (whole[:-9], "cannot be read")):
        path.write_bytes(content)
        with pytest.raises(DataError, match=rf"{message}.*Get the files anew\."):
            load_problem("notmnist-mnist:5", tmp_path)
    path.unlink()
    with pytest.raises(DataError, match="but found nothing"):
        load_problem("notmnist-mnist:5", tmp_path)


@pytest.mark.parametrize("place", ["caltech101", "caltech101/101_ObjectCategories", "caltech-101/101_ObjectCategories"])
def test_caltech101_reads_all_layouts_and_leaves_two_folders_out(tmp_path: Path, place: str) -> None:
    write_caltech101(tmp_path / place, 1)
    folder = caltech101(tmp_path)
    assert folder.classes == tuple(f"c{place:02d}" for place in range(100))
    assert [path.parent.name for path in folder.paths] == list(folder.class_names) == list(folder.classes)


def test_caltech101(tmp_path: Path) -> None:
    write_caltech101(tmp_path / "caltech101", 13)
    (tmp_path / "caltech101" / "c00" / "image_0012.png").unlink()
    problem, validation = (
        load_problem("caltech101:22", tmp_path),
        caltech101_few("22", tmp_path, measured_on="validation"),
    )
    check(problem)
    assert counts(problem.target) == [10] * 22
    assert (problem.source.labels and problem.source.labels.task.num_classes) == 78
    assert len(problem.source.samples) + len(problem.target.samples) + len(problem.exam.samples) == 1299  # type: ignore[union-attr]
    seen = [
        (f"c{image[0, 0, 0]:02d}", int(image[1, 0, 0]))
        for part in (problem.source, problem.target, problem.exam)
        for image in images(part)
    ]
    assert len(set(seen)) == 1299
    assert [name for name, _ in seen] == [*names(problem.source), *names(problem.target), *names(problem.exam)]
    assert torch.equal(images(problem.exam), images(load_problem("caltech101:22", tmp_path).exam))
    # settings are chosen with classes that the exam's problem measures nothing of
    check(validation)
    every = {*names(validation.source), *names(validation.target)}
    assert len(every) == 78
    assert not every & set(problem.task.classes)


def test_caltech101_measures_at_most_fifty_of_a_class(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isthmus.data.benchmarks.caltech101.MOST_MEASURED", 2)
    write_caltech101(tmp_path / "caltech101", 13)
    assert counts(load_problem("caltech101:10", tmp_path).exam) == [2] * 10


def test_missing_caltech101(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"Expected Caltech-101 at `.*caltech101`.*data\.caltech\.edu"):
        load_problem("caltech101:22", tmp_path)
    write_caltech101(tmp_path / "caltech101", 1, classes=99)
    with pytest.raises(DataError, match=r"Expected 100 class folders besides .* but got 99"):
        load_problem("caltech101:22", tmp_path)
    write_caltech101(tmp_path / "other" / "caltech101", 1)
    (tmp_path / "other" / "caltech101" / "c03" / "image_0000.png").write_bytes(b"no image")
    with pytest.raises(DataError, match="1 of 100 cannot be read"):
        load_problem("caltech101:22", tmp_path / "other")


@pytest.mark.parametrize("inside", ["", "fgvc-aircraft"])
@pytest.mark.parametrize("manufacturer", ["boeing", "airbus"])
def test_aircraft(tmp_path: Path, manufacturer: str, inside: str) -> None:
    write_aircraft(tmp_path / inside, number=8)
    problem = load_problem(f"fgvc-aircraft:{manufacturer}", tmp_path)
    check(problem)
    own = {"boeing": ("707", "737-200"), "airbus": ("A300", "A310")}[manufacturer]
    assert problem.task.classes == own
    assert problem.source.labels is not None
    assert set(problem.source.labels.task.classes) == set(AIRCRAFT) - set(own)
    assert counts(problem.source) == [24] * 3  # all splits
    assert counts(problem.target) == [16] * 2  # training and validation
    assert counts(problem.exam) == [8] * 2
    seen = []
    for part in (problem.source, problem.target, problem.exam):
        assert images(part).shape[1:] == (3, 256, 256)
        corners = images(part)[:, :, 0, 0].tolist()
        assert names(part) == [list(AIRCRAFT)[red] for red, _, _ in corners]
        seen += [green for _, green, _ in corners]
    assert sorted(seen) == list(range(120))


def test_the_banner_of_aircraft_is_cut_off(tmp_path: Path) -> None:
    write_aircraft(tmp_path)
    assert (
        int(images(aircraft("boeing", tmp_path).source)[:, 2].max()) < 16
    )  # the banner is white, the rest has no blue


def test_aircraft_validation_is_not_trained_on(tmp_path: Path) -> None:
    write_aircraft(tmp_path, number=2)
    problem, validation = (aircraft("boeing", tmp_path, measured_on=part) for part in ("exam", "validation"))  # type: ignore[arg-type]
    trained, chosen_on, measured = (
        set(images(part)[:, 1, 0, 0].tolist()) for part in (validation.target, validation.exam, problem.exam)
    )
    assert trained | chosen_on == set(images(problem.target)[:, 1, 0, 0].tolist())
    assert not trained & chosen_on
    assert not measured & (trained | chosen_on)


def test_missing_and_broken_aircraft(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"\(offline\).*put it at `.*fgvc-aircraft-2013b`"):
        load_problem("fgvc-aircraft:boeing", tmp_path / "empty")
    assert list((tmp_path / "empty").iterdir()) == []
    write_aircraft(tmp_path)
    (tmp_path / "fgvc-aircraft-2013b/data/images/0000003.jpg").unlink()
    with pytest.raises(DataError, match=r"1 of 30 cannot be read"):
        load_problem("fgvc-aircraft:boeing", tmp_path)
    (tmp_path / "fgvc-aircraft-2013b/data/variants.txt").write_text("A300\n")
    with pytest.raises(DataError, match=r"official files in `.*`, but got: KeyError.*Delete the folder"):
        load_problem("fgvc-aircraft:boeing", tmp_path)
    (tmp_path / "fgvc-aircraft-2013b/data/variants.txt").unlink()
    with pytest.raises(DataError, match=r"FileNotFoundError.*Delete the folder"):
        load_problem("fgvc-aircraft:boeing", tmp_path)


def test_aircraft_is_downloaded_once_and_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def extract(self: object) -> None:
        write_aircraft(Path(self.root))  # type: ignore[attr-defined]

    monkeypatch.setattr("torchvision.datasets.FGVCAircraft._download", extract)
    assert len(load_problem("fgvc-aircraft:boeing", tmp_path / "data").target.samples) == 8
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["fgvc-aircraft-2013b"]
    monkeypatch.undo()
    assert len(load_problem("fgvc-aircraft:airbus", tmp_path / "data").target.samples) == 8
