"""The readers on the real data, where `ISTHMUS_DATA` says that it is there."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier
from small_problems import names_of
from torch import Tensor

from isthmus.data.benchmarks import load_problem
from isthmus.data.benchmarks.cifar10 import cifar10
from isthmus.data.benchmarks.mnist import mnist
from isthmus.data.benchmarks.office_features import features
from isthmus.data.benchmarks.usps import usps
from isthmus.data.problems import Problem
from isthmus.data.samples import Samples

ROOT = Path(os.environ.get("ISTHMUS_DATA", "/nonexistent"))


def need(name: str) -> None:
    if not (ROOT / name).exists():
        pytest.skip(f"needs `{name}` under the data root, ISTHMUS_DATA")


def read(samples: Samples) -> Tensor:
    return samples.read(torch.arange(len(samples)), torch.Generator())


def neighbour_accuracy(X: np.ndarray, y: np.ndarray, X_test: np.ndarray, y_test: np.ndarray) -> float:
    return float(KNeighborsClassifier(1, algorithm="brute").fit(X, y).score(X_test, y_test) * 100)


def rows(images: Tensor) -> set[bytes]:
    return {image.numpy().tobytes() for image in images}


def test_mnist_statistics() -> None:
    need("mnist")
    images, labels = mnist(ROOT, "train")
    assert images.shape == (60000, 1, 28, 28)
    pixels = images.double() / 255
    assert abs(float(pixels.mean()) - 0.1307) < 5e-5
    assert abs(float(pixels.std()) - 0.3081) < 5e-5
    assert labels.bincount().tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert len(mnist(ROOT, "test").labels) == 10000


def test_usps_counts_and_nearest_neighbours() -> None:
    need("usps")
    (images, labels), (test_images, test_labels) = usps(ROOT, "train"), usps(ROOT, "test")
    assert labels.bincount().tolist() == [1194, 1005, 731, 658, 652, 556, 664, 645, 542, 644]
    accuracy = neighbour_accuracy(
        images.flatten(1).double().numpy(), labels.numpy(), test_images.flatten(1).double().numpy(), test_labels.numpy()
    )
    assert abs(accuracy - 94.37) < 0.06  # 94.37 % on the unrounded pixels
    assert images[:, :, :2, :2].float().mean() < images.float().mean()  # white on black


@pytest.mark.parametrize("name", ["mnist-usps", "usps-mnist"])
def test_small_digit_problems(name: str) -> None:
    need("mnist")
    need("usps")
    problem, again = load_problem(name, ROOT), load_problem(name, ROOT)
    sizes = {"mnist": 2000, "usps": 1800}
    tests = {"mnist": 10000, "usps": 2007}
    assert [len(domain.samples) for domain in problem.domains] == [sizes[part] for part in name.split("-")]
    assert problem.exam is not None
    assert len(problem.exam.samples) == tests[problem.target.name]
    assert not problem.exam.transductive
    assert problem.target.labels is None
    assert torch.equal(read(problem.target.samples), read(again.target.samples))
    target, exam = rows(read(problem.target.samples)), rows(read(problem.exam.samples))
    assert len(target & exam) == 0


def test_mnist_m_shares_no_digit_with_the_source() -> None:
    need("mnist")
    need("mnist_m")
    problem = load_problem("mnist-mnist_m", ROOT)
    assert [len(domain.samples) for domain in problem.domains] == [50000, 10000]
    assert problem.exam is not None
    assert len(problem.exam.samples) == 9001
    assert problem.source.labels is not None
    digits, labels = mnist(ROOT, "train")
    assert torch.equal(problem.source.labels.values, labels[10000:])
    assert torch.equal(read(problem.source.samples)[:100, 0], digits[10000:10100, 0])
    assert problem.exam.labels.values.tolist() == mnist(ROOT, "test").labels[:9001].tolist()


def test_office_caltech10() -> None:
    need("office_caltech10")
    counts = {"amazon": 958, "caltech": 1123, "dslr": 157, "webcam": 295}
    for source, target in (("amazon", "webcam"), ("dslr", "caltech")):
        problem = load_problem(f"office-caltech10:{source}-{target}", ROOT)
        assert [len(domain.samples) for domain in problem.domains] == [counts[source], counts[target]]
        assert problem.task.num_classes == 10
        assert problem.target.labels is None
        assert problem.exam is not None
        assert problem.exam.samples is problem.target.samples


def exam_labels(problem: Problem) -> np.ndarray:
    assert problem.exam is not None
    return problem.exam.labels.values.numpy()


@pytest.mark.parametrize(
    ("variant", "accuracy"),
    [
        ("amazon-dslr", 85.4),
        ("amazon-webcam", 80.7),
        ("dslr-amazon", 90.0),
        ("webcam-amazon", 89.5),
        ("dslr-webcam", 99.7),
        ("webcam-dslr", 98.1),
    ],
)
def test_googlenet_nearest_neighbours(variant: str, accuracy: float) -> None:
    need("office_caltech10_features/googlenet1024")
    problem = load_problem(f"office-caltech10-googlenet:{variant}", ROOT)
    assert problem.target.labels is None
    assert problem.source.labels is not None
    found = neighbour_accuracy(
        read(problem.source.samples).numpy(),
        problem.source.labels.values.numpy(),
        read(problem.target.samples).numpy(),
        exam_labels(problem),
    )
    assert abs(found - accuracy) < 0.06


def test_surf_nearest_neighbours() -> None:
    need("office_caltech10_features/surf800")

    def standardised(domain: str) -> tuple[np.ndarray, np.ndarray]:
        vectors, labels = (part.numpy() for part in features(ROOT, "surf800", domain))
        vectors = vectors.astype(np.float64)
        std = vectors.std(0)
        return (vectors - vectors.mean(0)) / np.where(std > 0, std, 1), labels

    assert abs(neighbour_accuracy(*standardised("caltech"), *standardised("amazon")) - 23.7) < 0.06
    problem = load_problem("office-caltech10-surf:caltech-amazon", ROOT)
    assert problem.target.labels is None
    np.testing.assert_array_equal(exam_labels(problem), features(ROOT, "surf800", "amazon")[1])


def test_notmnist_mnist_and_what_neighbours_make_of_few_digits() -> None:
    need("mnist")
    need("notmnist")
    problem = load_problem("notmnist-mnist:10", ROOT)
    assert problem.source.labels is not None
    assert problem.target.labels is not None
    assert problem.source.labels.values.bincount().tolist() == [len(problem.source.samples) // 10] * 10
    assert problem.target.labels.values.bincount().tolist() == [10] * 10
    assert problem.exam is not None
    np.testing.assert_array_equal(exam_labels(problem), mnist(ROOT, "test").labels)
    accuracy = neighbour_accuracy(
        read(problem.target.samples).flatten(1).double().numpy(),
        problem.target.labels.values.numpy(),
        read(problem.exam.samples).flatten(1).double().numpy(),
        exam_labels(problem),
    )
    assert 65 < accuracy < 80  # the usual of ten labels a digit
    assert read(problem.source.samples).float().mean() < 128  # white on black


def test_caltech101() -> None:
    need("caltech101")
    problem = load_problem("caltech101:22", ROOT)
    assert problem.source.labels is not None
    assert problem.target.labels is not None
    assert problem.exam is not None
    assert problem.source.labels.task.num_classes == 78
    assert not {"BACKGROUND_Google", "Faces_easy"} & {*problem.source.labels.task.classes, *problem.task.classes}
    assert problem.target.labels.values.bincount().tolist() == [10] * 22
    counts = problem.exam.labels.values.bincount()
    assert len(counts) == 22
    assert int(counts.min()) >= 21  # the smallest class has 31 images
    assert int(counts.max()) <= 50
    assert not set(names_of(problem.target.samples)) & set(names_of(problem.exam.samples))


def test_cifar10() -> None:
    need("cifar10")
    for split in ("train", "test"):
        images, labels = cifar10(ROOT, split)
        assert images.shape[1:] == (3, 32, 32)
        assert len(labels.bincount().unique()) == 1  # as many of each class
        assert 110 < float(images.float().mean()) < 130
