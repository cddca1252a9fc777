"""The photographs of five fine-grained data sets, by their official lists; none is decoded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from isthmus.data.benchmarks.aircraft import BANNER, photographs
from isthmus.data.benchmarks.places import first_existing, put_there
from isthmus.errors import DataError


class Photograph(NamedTuple):
    """Where a photograph is, whether it is for training or for the test, and what it shows."""

    path: Path
    trains: bool
    shows: str


class PhotographSet(NamedTuple):
    """A data set in its official layout.

    Attributes:
        name: of its domain.
        folders: where it may be under the data root.
        layout: what is in the folder.
        source: where to get it.
        read: its photographs, given the folder.
        banner: rows at the bottom of every photograph that are no part of it.
    """

    name: str
    folders: tuple[str, ...]
    layout: str
    source: str
    read: Callable[[Path], Iterator[Photograph]]
    banner: int = 0

    def photographs(self, data_root: Path) -> list[Photograph]:
        """All of them, in order of the lists.

        Raises:
            DataError: a folder, a list or a photograph that is missing, or a list that is none.
        """
        folder = first_existing(data_root, self.folders)
        if folder is None:
            raise put_there(f"the data set `{self.name}`", data_root / self.folders[0], f"`{self.layout}`", self.source)
        try:
            found = list(self.read(folder))
        except (OSError, KeyError, IndexError, ValueError) as error:
            raise DataError(
                f"Expected the official files of `{self.name}` in `{folder}`, {self.layout}, but got: {error!r}. "
                f"Unpack them again, from {self.source}."
            ) from error
        missing = [photo.path for photo in found if not photo.path.is_file()]
        if missing or not found:
            first = f", first `{missing[0]}`" if missing else ""
            raise DataError(
                f"Expected all {len(found)} photographs of `{self.name}` that are listed in `{folder}`, but "
                f"{len(missing)} are missing{first}. Unpack them again, from {self.source}."
            )
        return found


def _birds(folder: Path) -> Iterator[Photograph]:
    def numbered(name: str) -> dict[str, str]:
        """The lines of a list, by the number that each begins with."""
        lines = (folder / name).read_text().splitlines()
        return dict(line.split(maxsplit=1) for line in lines if line.strip())

    images, trains = numbered("images.txt"), numbered("train_test_split.txt")
    classes, labels = numbered("classes.txt"), numbered("image_class_labels.txt")
    for number, path in images.items():
        shows = _in_words(classes[labels[number]], ".")
        yield Photograph(folder / "images" / path, trains[number] == "1", shows)


def _dogs(folder: Path) -> Iterator[Photograph]:
    for part in ("train", "test"):
        for cell in _matlab(folder / f"{part}_list.mat")["file_list"].flatten():
            path = str(cell.item())
            yield Photograph(folder / "Images" / path, part == "train", _in_words(path.partition("/")[0], "-"))


def _flowers(folder: Path) -> Iterator[Photograph]:
    labels, parts = _matlab(folder / "imagelabels.mat")["labels"].flatten(), _matlab(folder / "setid.mat")
    for part in ("trnid", "valid", "tstid"):
        for number in parts[part].flatten().tolist():
            path = folder / "jpg" / f"image_{number:05d}.jpg"
            yield Photograph(path, part != "tstid", f"flower {labels[number - 1]}")


def _cars(folder: Path) -> Iterator[Photograph]:
    names = [str(cell.item()) for cell in _matlab(folder / "devkit" / "cars_meta.mat")["class_names"].flatten()]
    for part, place in (("train", "devkit/cars_train_annos.mat"), ("test", "cars_test_annos_withlabels.mat")):
        for row in _matlab(folder / place)["annotations"].flatten():
            path = folder / f"cars_{part}" / str(row["fname"].item())
            yield Photograph(path, part == "train", names[row["class"].item() - 1])


def _aircraft(folder: Path) -> Iterator[Photograph]:
    for photo in photographs(folder.parent):
        yield Photograph(photo.path, photo.split != "test", photo.variant)


def _in_words(name: str, mark: str) -> str:
    """What follows the number and a mark in a class's name."""
    return name.partition(mark)[2].replace("_", " ")


def _matlab(path: Path) -> dict[str, Any]:
    from scipy.io import loadmat

    lists: dict[str, Any] = loadmat(path)
    return lists


SETS = (
    PhotographSet(
        "birds",
        ("CUB_200_2011",),
        "images.txt, image_class_labels.txt, classes.txt, train_test_split.txt and images/CLASS/IMAGE.jpg",
        "its authors (https://www.vision.caltech.edu/datasets/cub_200_2011/)",
        _birds,
    ),
    PhotographSet(
        "dogs",
        ("stanford_dogs",),
        "train_list.mat, test_list.mat and Images/CLASS/IMAGE.jpg",
        "its authors (http://vision.stanford.edu/aditya86/ImageNetDogs/)",
        _dogs,
    ),
    PhotographSet(
        "flowers",
        ("flowers-102",),
        "imagelabels.mat, setid.mat and jpg/IMAGE.jpg",
        "its authors (https://www.robots.ox.ac.uk/~vgg/data/flowers/102/)",
        _flowers,
    ),
    PhotographSet(
        "cars",
        ("stanford_cars",),
        "devkit/cars_meta.mat, devkit/cars_train_annos.mat, cars_test_annos_withlabels.mat, cars_train/IMAGE.jpg and "
        "cars_test/IMAGE.jpg",
        "a mirror of the Stanford Cars data set, as its own address is gone",
        _cars,
    ),
    PhotographSet(
        "aircraft",
        ("fgvc-aircraft-2013b", "fgvc-aircraft/fgvc-aircraft-2013b"),
        "data/images_variant_train.txt and the other lists, and data/images/IMAGE.jpg",
        "its authors (https://www.robots.ox.ac.uk/~vgg/data/fgvc-aircraft/)",
        _aircraft,
        BANNER,
    ),
)
"""In the order of the paper's table."""
