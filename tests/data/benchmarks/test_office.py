"""Object benchmarks and their features, on small files in the official layouts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from formats import write_objects
from scipy.io import savemat

from isthmus.data.benchmarks import load_problem
from isthmus.data.benchmarks.office_features import features
from isthmus.data.inputs import VectorInput
from isthmus.data.recipes import Recipe
from isthmus.errors import DataError


@pytest.mark.parametrize(
    ("folder", "domains", "inside", "name"),
    [
        ("office31", {"amazon": 3, "webcam": 2}, "", "office31:amazon-webcam"),
        ("Office-31", {"amazon": 3, "webcam": 2}, "images", "office31:amazon-webcam"),
        ("OfficeHome", {"Clipart": 3, "Real World": 2}, "", "office-home:clipart-real_world"),
        ("office_caltech10", {"caltech10": 3, "dslr": 2}, "", "office-caltech10:caltech-dslr"),
        ("office-caltech10", {"caltech": 3, "dslr": 2}, "images", "office-caltech10:caltech-dslr"),
    ],
)
def test_layouts(tmp_path: Path, folder: str, domains: dict[str, int], inside: str, name: str) -> None:
    write_objects(tmp_path / folder, domains, inside=inside)
    problem = load_problem(name, tmp_path)
    assert problem.name == name
    assert "-".join(domain.name for domain in problem.domains) == name.split(":")[1]
    assert [len(domain.samples) for domain in problem.domains] == [6, 4]
    assert problem.target.labels is None
    assert problem.exam is not None
    assert problem.exam.transductive
    assert problem.exam.name == problem.target.name
    assert problem.exam.labels.values.tolist() == [0, 0, 1, 1]
    assert problem.recipe == Recipe(), "an epoch of these problems ends with the smaller domain"
    assert (problem.backbone, problem.input.shape, problem.input.stored_shape) == (
        "resnet50",
        (3, 224, 224),
        (3, 256, 256),
    )


def test_archives_beside_the_folders_are_passed_over(tmp_path: Path) -> None:
    write_objects(tmp_path / "office31", {"amazon": 2, "webcam": 2})
    for archive in (tmp_path / "Office-31.zip", tmp_path / "office31" / "Amazon.zip"):
        archive.write_bytes(b"")
    assert len(load_problem("office31:amazon-webcam", tmp_path).source.samples) == 4


def test_missing_domain_says_what_to_put_where(tmp_path: Path) -> None:
    write_objects(tmp_path / "office31", {"amazon": 2})
    with pytest.raises(DataError, match=r"domain `webcam` of `office31` at `.*office31/webcam`.*office31/webcam/CLASS"):
        load_problem("office31:amazon-webcam", tmp_path)


def write_features(
    root: Path, kind: str, name: str, first: int = 1, *, shape: tuple[int, int] = (-1, 1), key: str = "fts"
) -> np.ndarray:
    folder = root / "office_caltech10_features" / kind
    folder.mkdir(parents=True, exist_ok=True)
    values = np.random.default_rng(len(name)).integers(0, 9, (40, 6)).astype(np.uint8)
    savemat(folder / name, {key: values, "labels": (np.arange(40) % 10 + first).reshape(shape)})
    return values


@pytest.mark.parametrize(
    ("name", "first", "shape", "key"),
    [("amazon.mat", 1, (-1, 1), "fts"), ("amazon.mat", 0, (1, -1), "feas"), ("amazon_SURF_L10.mat", 1, (-1, 1), "fts")],
)
def test_feature_files(tmp_path: Path, name: str, first: int, shape: tuple[int, int], key: str) -> None:
    values = write_features(tmp_path, "surf800", name, first, shape=shape, key=key).astype(float)
    vectors, labels = features(tmp_path, "surf800", "amazon")
    np.testing.assert_allclose(vectors, values / values.sum(1, keepdims=True), rtol=1e-6)
    assert labels.tolist() == list(range(10)) * 4


def test_feature_problem(tmp_path: Path) -> None:
    source = write_features(tmp_path, "googlenet1024", "Caltech10.mat")
    target = write_features(tmp_path, "googlenet1024", "dslr.mat")
    problem = load_problem("office-caltech10-googlenet:caltech-dslr", tmp_path)
    assert isinstance(problem.input, VectorInput)
    seen = problem.input.evaluate(problem.target.samples.read(torch.arange(40), torch.Generator()))
    np.testing.assert_allclose(seen, (target - source.mean(0)) / source.std(0), rtol=1e-4, atol=1e-5)
    assert problem.target.labels is None
    assert problem.recipe.batch_size <= 157  # dslr


def test_broken_features(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"surf800 features of `dslr` at `.*dslr\.mat`, but found nothing"):
        load_problem("office-caltech10-surf:dslr-amazon", tmp_path)
    write_features(tmp_path, "surf800", "dslr.mat", key="other")
    with pytest.raises(DataError, match=r"dslr\.mat` cannot be read \(KeyError"):
        features(tmp_path, "surf800", "dslr")
    savemat(tmp_path / "office_caltech10_features/surf800/dslr.mat", {"fts": np.ones((3, 2)), "labels": [1, 50, 2]})
    with pytest.raises(DataError, match=r"3 labels and 50 classes"):
        features(tmp_path, "surf800", "dslr")
