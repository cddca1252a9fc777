"""SVHN: 73257 training and 26032 test house-number digits, cropped to 32×32 (Netzer et al., 2011)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from isthmus.data.benchmarks.download import RemoteFile, fetch
from isthmus.data.benchmarks.mnist import LabelledImages
from isthmus.data.benchmarks.places import first_existing
from isthmus.errors import DataError

ADDRESS = "http://ufldl.stanford.edu/housenumbers/"
FILES = {
    "train": RemoteFile(f"{ADDRESS}train_32x32.mat", "e26dedcc434d2e4c54c9b2d4a06d8373"),
    "test": RemoteFile(f"{ADDRESS}test_32x32.mat", "eb5a983be6a315427106f1b164d9cef3"),
}


def svhn(root: Path, split: str) -> LabelledImages:
    """The `train` or `test` images, (n, 3, 32, 32), from `svhn/`; downloaded where they are not there.

    Raises:
        DataError: the file cannot be downloaded or read.
    """
    from scipy.io import loadmat

    file = FILES[split]
    path = first_existing(root, (f"svhn/{file.name}", f"SVHN/{file.name}", file.name)) or fetch(file, root / "svhn")
    try:
        content = loadmat(path, variable_names=("X", "y"))
        pixels, labels = content["X"], content["y"].ravel().astype(np.int64)
    except Exception as error:  # a truncated file makes the parser raise nearly anything
        raise DataError(f"`{path}` cannot be read: {error}. Delete it; it will be downloaded anew.") from error
    if pixels.shape != (32, 32, 3, len(labels)) or pixels.dtype != np.uint8:
        raise DataError(
            f"Expected `X` of shape (32, 32, 3, {len(labels)}) in bytes in `{path}`, but got {pixels.shape} of "
            f"{pixels.dtype}. Delete it; it will be downloaded anew."
        )
    labels[labels == 10] = 0  # the digit 0 has the label 10
    return LabelledImages(
        torch.from_numpy(np.ascontiguousarray(pixels.transpose(3, 2, 0, 1))), torch.from_numpy(labels)
    )
