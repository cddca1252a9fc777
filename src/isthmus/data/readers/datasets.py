"""Problems from map-style PyTorch data sets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor

from isthmus.data.inputs import ImageInput
from isthmus.data.problems import Domain, Exam, Problem
from isthmus.data.readers.arrays import array_problem, exam_of_arrays, sample_tensor
from isthmus.data.readers.decode import plain_image
from isthmus.data.readers.defaults import default_input, default_recipe
from isthmus.data.readers.image_files import MEMORY_BUDGET, fits_in_memory
from isthmus.data.readers.labels import LabelCode, LabelValue, label_values
from isthmus.data.samples import ArraySamples, MappedSamples, Samples
from isthmus.errors import DataError
from isthmus.names import listed
from isthmus.progress import track

if TYPE_CHECKING:
    from PIL.Image import Image

PROBED = 32
"""Images of a data set whose size is looked at."""


class MapDataset(Protocol):
    """A data set read by index: each item an image or vector, or a pair of one and its label."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Any: ...


@dataclass(frozen=True)
class DatasetImages:
    """The stored image of each item, whose label is dropped."""

    dataset: MapDataset
    input: ImageInput
    name: str

    def __call__(self, index: int) -> Tensor:
        return self.input.store(_picture(_item(self.dataset, index, self.name)[0], self.name))


def dataset_problem(
    source: MapDataset,
    target: MapDataset,
    exam: MapDataset | None = None,
    *,
    classes: Sequence[LabelValue] | None = None,
    backbone: str | None = None,
    image_size: int | None = None,
    name: str = "datasets",
    memory_budget: int = MEMORY_BUDGET,
) -> Problem:
    """An unsupervised problem from data sets, such as torchvision's.

    Items are PIL images, or tensors as `array_problem` takes them, without normalisation or random transforms: the
    problem's own input does both. Each item is read once before training; images that fit `memory_budget` all
    together stay in memory. Labels of the target are not read; give `exam=target` to be measured on its own images.
    The recipe is that of `array_problem`.

    Args:
        source: items `(image, label)`.
        target: items `(image, label)` or `image`.
        exam: items `(image, label)`.
        classes: as in `array_problem`; `source.classes`, as torchvision has it, or the source's labels if None. Where
            the exam has `classes` too, of another order or only some of them, its numbers are read by these.
        backbone: name of the backbone; by the images' size if None.
        image_size: pixels that the network sees; by the images' size if None.
        name: of the problem.
        memory_budget: bytes.

    Raises:
        DataError: a data set without length, items of another form, labels that do not fit, or a bad image.
        OptionError: an option out of range.
    """
    datasets = {"source": source, "target": target} | (
        {"exam": exam} if exam is not None and exam is not target else {}
    )
    for label, dataset in datasets.items():
        _check_dataset(dataset, label)
        if label != "source" and dataset is source:
            raise DataError(f"`{label}`: expected another data set than the source, but got the source itself.")
    exam_classes = None
    if classes is None:
        classes, exam_classes = getattr(source, "classes", None), getattr(exam, "classes", None)
    if getattr(_split(source[0])[0], "ndim", 0) == 1:
        return _vector_problem(datasets, exam is target, exam_classes, classes=classes, backbone=backbone, name=name)

    side = max(_typical_side(dataset, label) for label, dataset in datasets.items())
    input, backbone = default_input(side, image_size=image_size, backbone=backbone)
    in_memory = fits_in_memory(sum(map(len, datasets.values())), input, memory_budget)
    read = {label: _read(dataset, input, label, in_memory) for label, dataset in datasets.items()}

    labels = _given_labels(read["source"][1], "source")
    code = LabelCode.of(labels, classes)
    measured = None
    if exam is not None:
        samples, raw = read["target" if exam is target else "exam"]
        exam_labels = code.encode(_exam_labels(raw, exam_classes, classes), name="exam")
        parts = [read["source"][0], read["target"][0], samples]
        arrays = [part for part in parts if isinstance(part, ArraySamples)]
        if len(arrays) == len(parts):
            measured = exam_of_arrays(arrays, exam_labels, source_name="source")
        else:  # too many to compare
            measured = Exam("target", samples, exam_labels, transductive=exam is target)
    return Problem(
        name=name,
        domains=(
            Domain("source", read["source"][0], code.encode(labels, name="source")),
            Domain("target", read["target"][0]),
        ),
        input=input,
        backbone=backbone,
        recipe=default_recipe(len(source), len(target)),
        exams=(measured,) if measured else (),
    )


def _exam_labels(raw: list[Any], own: Sequence[str] | None, wanted: Sequence[LabelValue] | None) -> list[LabelValue]:
    """The exam's labels; those that number its own classes become the numbers of the wanted ones of the same names.

    Raises:
        DataError: a missing label, or one of a class that is not wanted.
    """
    labels = _given_labels(raw, "exam")
    if (
        own is None
        or wanted is None
        or list(own) == list(wanted)
        or not all(label in range(len(own)) for label in labels)
    ):
        return labels
    names = [own[int(label)] for label in labels]
    if unknown := sorted(set(names) - set(wanted)):
        raise DataError(
            f"`exam`: expected its `classes` among the source's, {listed(map(str, wanted))}, but got also "
            f"{listed(unknown)}. Give `classes` if a number means the same class in both."
        )
    number = {name: number for number, name in enumerate(wanted)}
    return [number[name] for name in names]


def _vector_problem(
    datasets: Mapping[str, MapDataset], transductive: bool, exam_classes: Sequence[str] | None, **options: Any
) -> Problem:
    """Vectors are small: they go through `array_problem`."""
    read = {label: [_item(data, index, label) for index in range(len(data))] for label, data in datasets.items()}
    vectors = {label: _stacked([vector for vector, _ in items], label) for label, items in read.items()}
    labels = {label: [found for _, found in items] for label, items in read.items()}
    measured = "target" if transductive else "exam"
    exam = None
    if measured in datasets:
        exam = vectors[measured], _exam_labels(labels[measured], exam_classes, options["classes"])
    return array_problem(
        vectors["source"], _given_labels(labels["source"], "source"), vectors["target"], exam=exam, **options
    )


def _check_dataset(dataset: Any, name: str) -> None:
    if not (hasattr(dataset, "__len__") and hasattr(dataset, "__getitem__")):
        raise DataError(
            f"`{name}`: expected a data set with `__len__` and `__getitem__`, but got {type(dataset).__name__}. "
            f"Read an iterable data set into a list of `(image, label)` first."
        )
    if len(dataset) == 0:
        raise DataError(f"`{name}`: expected at least one item, but got none.")


def _split(item: Any) -> tuple[Any, Any]:
    """Image and label of an item; None for a label that is not there."""
    if isinstance(item, (tuple, list)):
        return (item[0], item[1]) if len(item) > 1 else (item[0], None)
    return item, None


def _item(dataset: MapDataset, index: int, name: str) -> tuple[Any, Any]:
    try:
        return _split(dataset[index])
    except OSError as error:
        raise DataError(f"`{name}`: item {index} cannot be read: {error}. Replace it or leave it out.") from error


def _picture(image: Any, name: str) -> Image:
    """An item's image as 8-bit grey or RGB."""
    from PIL import Image

    if isinstance(image, Image.Image):
        return plain_image(image)
    if getattr(image, "ndim", 0) not in (2, 3):
        raise DataError(
            f"`{name}`: expected items `(image, label)` or `image`, an image being a PIL image, or a tensor or array "
            f"(height, width) or (channels, height, width), but got {type(image).__name__}."
        )
    pixels = sample_tensor(image[None], name=name)[0]
    return Image.fromarray(pixels[0].numpy() if len(pixels) == 1 else pixels.permute(1, 2, 0).contiguous().numpy())


def _typical_side(dataset: MapDataset, name: str) -> int:
    """Median of the images' shorter sides, of a few evenly spaced ones."""
    indices = range(0, len(dataset), -(-len(dataset) // PROBED))
    return round(median(min(_picture(_item(dataset, index, name)[0], name).size) for index in indices))


def _read(dataset: MapDataset, input: ImageInput, name: str, in_memory: bool) -> tuple[Samples, list[Any]]:
    """All images, and the labels as they are; None where an item has none."""
    values = torch.empty((len(dataset) if in_memory else 0, *input.stored_shape), dtype=torch.uint8)
    labels = []
    for index in track(range(len(dataset)), f"Reading {name}", len(dataset)):
        image, label = _item(dataset, index, name)
        labels.append(label)
        stored = input.store(_picture(image, name))
        if in_memory:
            values[index] = stored
    if in_memory:
        return ArraySamples(values, name=name), labels
    return MappedSamples(len(dataset), DatasetImages(dataset, input, name)), labels


def _given_labels(labels: list[Any], name: str) -> list[LabelValue]:
    if any(label is None for label in labels):
        raise DataError(f"`{name}`: expected items `(image, label)`, but got items without a label.")
    return label_values(labels, name=name)


def _stacked(vectors: list[Any], name: str) -> Tensor:
    widths = {tuple(getattr(vector, "shape", ())) for vector in vectors}
    if len(widths) > 1:
        raise DataError(f"`{name}`: expected vectors of one width, but got shapes {sorted(widths)}.")
    return torch.stack([torch.as_tensor(vector) for vector in vectors])
