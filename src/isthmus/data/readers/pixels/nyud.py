"""NYU Depth v2, the labelled part, as its authors give it (Silberman et al., ECCV 2012).

`nyu_depth_v2_labeled.mat`, a file of HDF5, holds 1449 `images` (n, 3, width, height), `depths` in metres and `labels`
(n, width, height), and the `names` of the labels from 1 on; zero is none. `splits.mat` holds the official numbers
`trainNdxs` and `testNdxs`, from 1 on.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from torch import Tensor

from isthmus.data.readers.pixels.encodings import Encoding
from isthmus.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

Split = Literal["train", "test", "all"]
SPLITS: tuple[Split, ...] = ("train", "test", "all")
SUFFIX = ".mat"


@dataclass(frozen=True)
class NyudImages:
    """The images of the given numbers, counted from 1."""

    path: Path
    numbers: tuple[int, ...]

    def __call__(self, index: int) -> Image:
        from PIL import Image

        return Image.fromarray(read_rows(self.path, "images", self.numbers[index]).transpose(2, 1, 0))


@dataclass(frozen=True)
class NyudLabels:
    """The maps of the given numbers, counted from 1.

    Attributes:
        path: of the file.
        name: of the array, `depths` or `labels`.
        numbers: of the images.
        encoding: what the values mean.
    """

    path: Path
    name: str
    numbers: tuple[int, ...]
    encoding: Encoding

    def __call__(self, index: int) -> Tensor:
        number = self.numbers[index]
        try:
            return self.encoding.decode(read_rows(self.path, self.name, number).transpose(1, 0))
        except DataError as error:
            raise DataError(f"`{self.path}`, `{self.name}` of image {number}: {error}") from error


def read_rows(path: Path, name: str, number: int) -> NDArray[Any]:
    """The array of one image, counted from 1, its axes as they are stored."""
    import h5py

    with h5py.File(path) as file:
        array: NDArray[Any] = file[name][number - 1]
    return array


def image_count(path: Path) -> int:
    """How many images a file holds.

    Raises:
        DataError: it is missing, or none of this layout.
    """
    import h5py

    try:
        with h5py.File(path) as file:
            shapes = {name: file[name].shape for name in ("images", "depths", "labels")}
    except (OSError, KeyError) as error:
        found = f"none of its layout ({error})" if path.is_file() else "nothing there"
        raise DataError(f"expected `nyu_depth_v2_labeled.mat` at `{path}`, but got {found}. Check the path.") from error
    count, channels, *sides = shapes["images"]
    if channels != 3 or any(shapes[name] != (count, *sides) for name in ("depths", "labels")):
        raise DataError(f"expected images (n, 3, width, height) and maps like them in `{path}`, but got {shapes}.")
    return int(count)


def class_names(path: Path) -> tuple[str, ...]:
    """The names of the labels, from 1 on."""
    import h5py

    with h5py.File(path) as file:
        return tuple("".join(map(chr, file[place][:].flatten())) for place in file["names"][:].flatten())


def split_numbers(path: Path, split: Split, count: int) -> tuple[int, ...]:
    """Numbers of a split's images, in order, from 1 on.

    Raises:
        DataError: the file is missing, none of this layout, or of another number of images.
    """
    from scipy.io import loadmat

    key = f"{split}Ndxs"
    try:
        numbers = sorted(int(number) for number in loadmat(path)[key].flatten())
    except (OSError, KeyError, ValueError, NotImplementedError) as error:
        found = f"none with `{key}` ({error})" if path.is_file() else "nothing there"
        raise DataError(f"expected the official `splits.mat` at `{path}`, but got {found}. Check the path.") from error
    if not numbers or not 1 <= numbers[0] <= numbers[-1] <= count:
        raise DataError(f"expected `{key}` in `{path}` from 1 to {count}, but got {numbers[:1]} to {numbers[-1:]}.")
    return tuple(numbers)
