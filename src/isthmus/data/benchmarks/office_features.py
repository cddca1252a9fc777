"""Office-Caltech10 as the feature vectors that shallow methods are compared on (Gong et al., CVPR 2012)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from isthmus.data.benchmarks.places import matching_file, put_there
from isthmus.data.inputs import VectorInput
from isthmus.data.problems import Domain, Exam, Problem
from isthmus.data.recipes import Recipe
from isthmus.data.samples import ArraySamples
from isthmus.data.tasks import Classification, Labels
from isthmus.errors import DataError

OBJECTS = Classification(
    (
        "backpack",
        "bike",
        "calculator",
        "headphones",
        "keyboard",
        "laptop",
        "monitor",
        "mouse",
        "mug",
        "projector",
    )
)
FOLDER = "office_caltech10_features"
RECIPE = Recipe(epochs=30, steps_per_epoch=30, batch_size=32)
"""A number of steps, since the domains differ sevenfold in size: from 157 (dslr) to 1123 (caltech)."""


def googlenet(variant: str, data_root: Path) -> Problem:
    """1024 features of a GoogLeNet's last pooling."""
    return _problem("office-caltech10-googlenet", "googlenet1024", variant, data_root)


def surf(variant: str, data_root: Path) -> Problem:
    """Histograms of 800 SURF words, each divided by its sum, as Gong et al. do."""
    return _problem("office-caltech10-surf", "surf800", variant, data_root)


def features(data_root: Path, kind: str, domain: str) -> tuple[Tensor, Tensor]:
    """Vectors (n, features) float32 and class indices (n,) of a domain.

    Args:
        data_root: holds `office_caltech10_features/KIND/DOMAIN.mat`, each with `fts` (or `feas`), (n, features), and
            `labels`, from 0 or from 1; the names of the original release (`Caltech10_SURF_L10.mat`) will do too.
        kind: `googlenet1024` or `surf800`; histograms are divided by their sums.
        domain: `amazon`, `caltech`, `dslr` or `webcam`.

    Raises:
        DataError: the file is missing or holds something else.
    """
    from scipy.io import loadmat

    folder = data_root / FOLDER / kind
    names = [name + suffix for name in (domain, f"{domain}10") for suffix in ("", "_SURF_L10")]
    path = matching_file(folder, *names)
    if path is None:
        what, layout = f"the {kind} features of `{domain}`", f"`{FOLDER}/{kind}/{domain}.mat`, with `fts` and `labels`"
        raise put_there(what, folder / f"{domain}.mat", layout, "its authors (Gong et al., CVPR 2012)")
    try:
        content = loadmat(path)
        vectors = np.asarray(content["fts"] if "fts" in content else content["feas"], dtype=np.float64)
        labels = content["labels"].ravel().astype(np.int64)
    except Exception as error:  # a truncated file makes the parser raise nearly anything
        raise DataError(f"`{path}` cannot be read ({error!r}): expected `fts` and `labels`. Get it anew.") from error
    labels -= labels.min()  # every domain has all classes, so the smallest label is the first class
    if vectors.ndim != 2 or len(vectors) != len(labels) or labels.max() >= OBJECTS.num_classes:
        raise DataError(
            f"Expected `fts` (n, features) and n `labels` of ten classes in `{path}`, but got shape {vectors.shape}, "
            f"{len(labels)} labels and {labels.max() + 1} classes. Get the file anew."
        )
    if kind == "surf800":
        vectors /= np.maximum(vectors.sum(axis=1, keepdims=True), 1)
    return torch.from_numpy(vectors.astype(np.float32)), torch.from_numpy(labels)


def _problem(name: str, kind: str, variant: str, data_root: Path) -> Problem:
    source, target = variant.split("-")
    (X_source, y_source), (X_target, y_target) = (features(data_root, kind, domain) for domain in (source, target))
    samples = ArraySamples(X_target, name=target)
    return Problem(
        name=f"{name}:{variant}",
        domains=(
            Domain(source, ArraySamples(X_source, name=source), Labels(OBJECTS, y_source)),
            Domain(target, samples),
        ),
        input=VectorInput.standardising(X_source),
        backbone="mlp",
        recipe=RECIPE,
        exams=(Exam(target, samples, Labels(OBJECTS, y_target), transductive=True),),
    )
