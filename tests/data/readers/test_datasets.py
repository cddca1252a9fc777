"""Problems from map-style data sets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import IterableDataset, TensorDataset

from isthmus.data.loaders import steps_per_epoch
from isthmus.data.readers.datasets import dataset_problem
from isthmus.data.samples import ArraySamples, MappedSamples
from isthmus.errors import DataError

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 20, 20, 3), dtype=np.uint8)


class Pictures:
    """PIL images; counts how often each is read."""

    classes = ("cat", "dog")

    def __init__(self, labelled: bool = True, inverted: bool = False) -> None:
        self.labelled = labelled
        self.pixels = 255 - PIXELS if inverted else PIXELS

    def __len__(self) -> int:
        return len(PIXELS)

    def __getitem__(self, index: int) -> Any:
        image = Image.fromarray(self.pixels[index])
        return (image, index % 2) if self.labelled else image


def read(samples: Any) -> np.ndarray:
    return samples.read(torch.arange(len(samples)), torch.Generator()).numpy()  # type: ignore[no-any-return]


@pytest.mark.parametrize("memory_budget", [0, 2**30])
def test_pictures(memory_budget: int) -> None:
    target, exam = Pictures(labelled=False), Pictures(inverted=True)
    problem = dataset_problem(Pictures(), target, exam, memory_budget=memory_budget)
    assert isinstance(problem.source.samples, ArraySamples if memory_budget else MappedSamples)
    assert problem.task.classes == ("cat", "dog")
    assert problem.target.labels is None
    assert problem.source.labels is not None
    assert problem.source.labels.values.tolist() == [0, 1] * 3
    assert problem.exam is not None
    assert not problem.exam.transductive
    for samples, pixels in ((problem.source.samples, PIXELS), (problem.target.samples, PIXELS)):
        np.testing.assert_array_equal(read(samples), pixels.transpose(0, 3, 1, 2))
    np.testing.assert_array_equal(read(problem.exam.samples), 255 - PIXELS.transpose(0, 3, 1, 2))


def test_labels_of_the_target_are_not_an_exam_unless_asked_for() -> None:
    target = Pictures(inverted=True)
    assert dataset_problem(Pictures(), target).exam is None
    problem = dataset_problem(Pictures(), target, target)
    assert problem.target.labels is None
    assert problem.exam is not None
    assert problem.exam.transductive
    assert problem.exam.samples is problem.target.samples
    assert not any("label" in name for name in vars(problem.target.samples))


@pytest.mark.parametrize("scale", [1, 255])
def test_tensor_items(scale: int) -> None:
    images = torch.from_numpy(PIXELS).permute(0, 3, 1, 2)
    images = images if scale == 1 else images.float() / 255
    data = TensorDataset(images, torch.arange(6) % 2)
    other = TensorDataset(images.flip(2), torch.arange(6) % 2)
    problem = dataset_problem(data, other, other)  # type: ignore[arg-type]
    np.testing.assert_array_equal(read(problem.target.samples), PIXELS[:, ::-1].transpose(0, 3, 1, 2))
    assert problem.task.classes == ("0", "1")


def test_the_recipe_fits_a_small_data_set_beside_a_large_one() -> None:
    images, vectors = torch.zeros(50, 3, 20, 20, dtype=torch.uint8), torch.randn(50, 4)
    for samples in (images, vectors):
        source, target = TensorDataset(samples, torch.arange(50) % 2), TensorDataset(samples[:12], torch.arange(12) % 2)
        problem = dataset_problem(source, target)  # type: ignore[arg-type]
        assert (problem.recipe.batch_size, steps_per_epoch(problem)) == (12, 4)


@pytest.mark.parametrize("exam", ["none", "target", "other"])
def test_vectors(exam: str) -> None:
    vectors = torch.randn(12, 4, generator=torch.Generator().manual_seed(0))
    source, target = TensorDataset(vectors, torch.arange(12) % 2), TensorDataset(vectors[:6] + 1, torch.arange(6) % 2)
    given: Any = {"none": None, "target": target, "other": TensorDataset(vectors[6:] + 1, torch.arange(6) % 2)}[exam]
    problem = dataset_problem(source, target, given)  # type: ignore[arg-type]
    assert problem.backbone == "mlp"
    np.testing.assert_array_equal(read(problem.target.samples), vectors[:6] + 1)
    assert (problem.exam is None) == (exam == "none")
    if problem.exam is not None:
        assert problem.exam.transductive == (exam == "target")


class Named(list[Any]):
    """Items whose labels number their own classes, as those of torchvision's `ImageFolder` do."""

    def __init__(self, classes: tuple[str, ...], items: list[Any]) -> None:
        super().__init__(items)
        self.classes = classes


def items(*labels: int, vectors: bool, inverted: bool = False) -> list[Any]:
    pixels = 255 - PIXELS if inverted else PIXELS
    images = torch.randn(6, 4) if vectors else torch.from_numpy(pixels).permute(0, 3, 1, 2)
    return list(zip(images, labels))


@pytest.mark.parametrize("memory_budget", [0, 2**30])
def test_an_exam_on_the_sources_images_is_refused_where_they_can_be_compared(memory_budget: int) -> None:
    target, same = Pictures(labelled=False, inverted=True), Pictures()
    if memory_budget:
        with pytest.raises(DataError, match=r"`exam`: expected other samples than `source`.* got 6 of both"):
            dataset_problem(Pictures(), target, same, memory_budget=memory_budget)
    else:
        assert len(dataset_problem(Pictures(), target, same, memory_budget=memory_budget).exams) == 1


def test_an_exam_of_equal_images_is_transductive() -> None:
    problem = dataset_problem(Pictures(), Pictures(labelled=False, inverted=True), Pictures(inverted=True))
    assert problem.exams[0].transductive


@pytest.mark.parametrize("vectors", [False, True])
@pytest.mark.parametrize("own", [False, True], ids=["other images", "the target's"])
def test_an_exam_of_fewer_classes_is_read_by_their_names(vectors: bool, own: bool) -> None:
    source = Named(("bike", "bottle", "car"), items(0, 1, 2, 0, 1, 2, vectors=vectors))
    exam = Named(("car", "bike"), items(0, 1, 1, vectors=vectors, inverted=True))
    target = exam if own else [image for image, _ in items(0, 0, 0, vectors=vectors)]
    problem = dataset_problem(source, target, exam)
    assert problem.task.classes == ("bike", "bottle", "car")
    assert problem.exams[0].labels.values.tolist() == [2, 0, 0]
    named = dataset_problem(source, target, exam, classes=("a", "b", "c"))
    assert named.exams[0].labels.values.tolist() == [0, 1, 1], "names of the caller's are those of the numbers"
    plain = dataset_problem(source, target, list(exam) if not own else exam, classes=None)
    assert plain.exams[0].labels.values.tolist() == ([2, 0, 0] if own else [0, 1, 1]), "numbers without names"


def test_an_exam_of_classes_that_the_source_lacks_is_refused() -> None:
    source = Named(("bike", "car"), items(0, 1, vectors=True))
    exam = Named(("bike", "train"), items(0, 1, vectors=True))
    with pytest.raises(DataError, match=r"among the source's, `bike`, `car`, but got also `train`\. Give `classes`"):
        dataset_problem(source, [vector for vector, _ in exam], exam)


class Stream(IterableDataset[Any]):
    def __iter__(self) -> Any:
        yield from Pictures()  # type: ignore[misc]


class Broken(Pictures):
    def __getitem__(self, index: int) -> Any:
        if index == 3:
            raise OSError("image file is truncated")
        return super().__getitem__(index)


SAME = Pictures()


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        (Stream(), Pictures(), r"`source`: expected a data set with `__len__` .* got Stream"),
        ([], Pictures(), r"`source`: expected at least one item"),
        (Pictures(labelled=False), Pictures(), r"`source`: expected items `\(image, label\)`, but got items without"),
        (SAME, SAME, r"`target`: expected another data set than the source"),
        (Pictures(), Broken(), r"`target`: item 3 cannot be read: image file is truncated"),
        ([({"image": 1}, 0)] * 2, Pictures(), r"`source`: expected items .* got dict"),
        ([(torch.randn(3, 20, 20), 0)] * 2, Pictures(), r"`source`: expected float32 pixels from 0 to 1"),
        ([(torch.zeros(4), 0), (torch.zeros(5), 1)], [torch.zeros(4)], r"`source`: expected vectors of one width"),
    ],
)
def test_what_is_refused(source: Any, target: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        dataset_problem(source, target)
