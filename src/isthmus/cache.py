"""Results that are costly to compute, kept by the content of what they were computed from."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from isthmus.files import replacing
from isthmus.version import __version__

if TYPE_CHECKING:
    from torch import Tensor


def cache_root() -> Path:
    """The folder of everything that isthmus keeps: `ISTHMUS_CACHE`, else ~/.cache/isthmus."""
    return Path(os.environ.get("ISTHMUS_CACHE") or Path.home() / ".cache" / "isthmus")


def digest(parts: Iterable[Tensor | str]) -> str:
    """The SHA-256 checksum of texts, and of tensors with their types and shapes, in hexadecimal digits."""
    found = hashlib.sha256()
    for part in parts:
        if isinstance(part, str):
            found.update(f"{part}\0".encode())
            continue
        array = part.detach().cpu().contiguous().numpy()
        found.update(f"{array.dtype}{array.shape}".encode())
        found.update(array.data)
    return found.hexdigest()


def cached(name: str, inputs: Iterable[Tensor], compute: Callable[[], Tensor]) -> Tensor:
    """`compute()`, or what it gave before for the same name and inputs, bit for bit, on the device of the first.

    Another version of the package computes anew: its mathematics may be other.

    Where nothing can be written, it is computed every time.
    """
    import numpy as np
    import torch

    inputs = list(inputs)
    path = cache_root() / "computed" / f"{name}-{__version__}-{digest(inputs)[:32]}.npy"
    try:
        return torch.from_numpy(np.load(path, allow_pickle=False)).to(inputs[0].device)
    except (OSError, ValueError, EOFError):
        result = compute()
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as part, part.open("wb") as file:
            np.save(file, result.cpu().numpy(), allow_pickle=False)
    return result
