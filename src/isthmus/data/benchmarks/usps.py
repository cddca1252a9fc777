"""USPS: 7291 training and 2007 test digits, 16×16 grey, white on black (Hull, 1994)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from isthmus.data.benchmarks.download import RemoteFile, fetch
from isthmus.data.benchmarks.mnist import LabelledImages
from isthmus.data.benchmarks.places import first_existing
from isthmus.errors import DataError

ADDRESS = "https://www.csie.ntu.edu.tw/~cjlin/libsvmtools/datasets/multiclass/"
FILES = {
    "train": RemoteFile(f"{ADDRESS}usps.bz2", "ec16c51db3855ca6c91edd34d0e9b197"),
    "test": RemoteFile(f"{ADDRESS}usps.t.bz2", "8ea070ee2aca1ac39742fdd1ef5ed118"),
}
PIXELS = 16 * 16


def usps(root: Path, split: str) -> LabelledImages:
    """The `train` or `test` images, (n, 1, 16, 16).

    Read from the official `usps.bz2` and `usps.t.bz2` (in `usps/` or the root) or from `usps/usps.h5`, which has groups
    `train` and `test` with `data` (n, 256) in [0, 1] and `target`; downloaded where neither is there.

    Raises:
        DataError: the files cannot be downloaded or read.
    """
    file = FILES[split]
    path = first_existing(root, (f"usps/{file.name}", file.name, "usps/usps.h5")) or fetch(file, root / "usps")
    try:
        values, labels = _read_h5(path, split) if path.suffix == ".h5" else _read_libsvm(path)
    except (OSError, EOFError, KeyError, ValueError) as error:
        raise DataError(
            f"`{path}` cannot be read as USPS digits: {error}. Delete it; it will be downloaded anew."
        ) from error
    if values.shape[1:] != (PIXELS,) or labels.min() < 0 or labels.max() > 9:
        raise DataError(
            f"Expected {PIXELS} pixels and labels of ten digits in `{path}`, but got shape {values.shape} and labels "
            f"{labels.min()} to {labels.max()}. Delete it; it will be downloaded anew."
        )
    # Pixels are multiples of 1/2000, some midway between two bytes: rounding twice makes both files agree on these.
    images = np.rint((values * 255).round(3)).astype(np.uint8).reshape(-1, 1, 16, 16)
    return LabelledImages(torch.from_numpy(images), torch.from_numpy(labels.astype(np.int64)))


def _read_libsvm(path: Path) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Pixels from −1 to 1, labels from 1 to 10 for the digits 0 to 9."""
    from sklearn.datasets import load_svmlight_file

    sparse, labels = load_svmlight_file(str(path), n_features=PIXELS, zero_based=False)
    return (sparse.toarray() + 1) / 2, labels - 1


def _read_h5(path: Path, split: str) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    import h5py

    with h5py.File(path) as file:
        return file[split]["data"][:].astype(np.float64), file[split]["target"][:]
