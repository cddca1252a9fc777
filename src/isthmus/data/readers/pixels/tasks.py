"""Tasks and the meaning of label files as a problem file states them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from isthmus.data.pixelwise import Depth, Keypoints, PixelTask, Segmentation, SurfaceNormals
from isthmus.data.readers.pixels.encodings import (
    DepthEncoding,
    Encoding,
    KeypointsEncoding,
    NormalsEncoding,
    SegmentationEncoding,
)
from isthmus.data.readers.sections import Section, is_whole, shown
from isthmus.functional.pixelwise import IGNORED

OWN_KEYS: Mapping[str, tuple[str, ...]] = {
    SurfaceNormals.name: (),
    Segmentation.name: ("classes",),
    Depth.name: (),
    Keypoints.name: ("points", "depth", "deviation"),
}
"""What a task is, the same in all domains."""
FILE_KEYS: Mapping[str, tuple[str, ...]] = {
    SurfaceNormals.name: ("axes", "mask"),
    Segmentation.name: ("values", "ignore", "mask"),
    Depth.name: ("scale", "mask"),
    Keypoints.name: (),
}
"""What its label files mean, which domains may state for themselves."""
AXES = {"x": 0, "y": 1, "z": 2}
OTHERS = "others"
"""In the place of numbers to ignore: all that stand for no class."""


def task_of(options: Section, name: str, size: int) -> PixelTask:
    """The task called `name`.

    Args:
        options: what the problem file says of it.
        name: of the task, one of `OWN_KEYS`.
        size: side of the images.

    Raises:
        DataError: an option is missing, unknown or of another kind.
    """
    options.check_keys(*OWN_KEYS[name], *FILE_KEYS[name])
    if name == Segmentation.name:
        classes = options.names("classes")
        with options.blamed("classes"):
            return Segmentation(classes)
    if name == Keypoints.name:
        depth, deviation = options.flag("depth", False), options.number("deviation", 3.0)
        return Keypoints(_points(options), side=size, deviation=deviation, depth=depth)
    return Depth() if name == Depth.name else SurfaceNormals()


def encoding_of(options: Section, task: PixelTask, class_names: Sequence[str] | None = None) -> Encoding:
    """What the numbers in a task's label files mean.

    Args:
        options: what the problem file says of the files.
        task: whose labels they are.
        class_names: where the data has names for the numbers from 1 on, these names.

    Raises:
        DataError: an option is of another kind.
    """
    if isinstance(task, SurfaceNormals):
        return NormalsEncoding(_axes(options))
    if isinstance(task, Segmentation):
        return _classes(options, task, class_names)
    if isinstance(task, Keypoints):
        return KeypointsEncoding(len(task.names), task.shape[1] or 0)
    return DepthEncoding(options.number("scale", 1.0))


def _points(options: Section) -> tuple[str, ...]:
    if is_whole(options.values.get("points")):
        return tuple(str(number) for number in range(1, options.whole("points", 1) + 1))
    return options.names("points")


def _axes(options: Section) -> tuple[tuple[int, int], ...]:
    def fits(value: Any) -> bool:
        texts = isinstance(value, list) and all(isinstance(axis, str) for axis in value)
        return texts and sorted(axis.removeprefix("-") for axis in value) == sorted(AXES)

    axes = options.read("axes", "x, y and z in the order of the files, such as `[x, -y, -z]`", fits, list(AXES))
    places = {axis.removeprefix("-"): (place, -1 if axis.startswith("-") else 1) for place, axis in enumerate(axes)}
    return tuple(places[axis] for axis in AXES)


def _classes(options: Section, task: Segmentation, class_names: Sequence[str] | None) -> SegmentationEncoding:
    numbers = {name: number for number, name in enumerate(class_names or (), start=1)}
    if "values" in options or class_names is not None:
        classes = _listed_values(options, task, numbers)
    else:
        classes = {number: number for number in range(len(task.classes))}
    if class_names is not None:
        return SegmentationEncoding(classes, None)
    expected = f"a whole number, a list of them, or `{OTHERS}`"
    ignore = options.read("ignore", expected, lambda v: v == OTHERS or all(map(is_whole, _several(v))), IGNORED)
    return SegmentationEncoding(classes, None if ignore == OTHERS else frozenset(_several(ignore)) - classes.keys())


def _listed_values(options: Section, task: Segmentation, numbers: Mapping[str, int]) -> dict[int, int]:
    """The index of the class that each number of the files stands for."""
    given = options.section("values", {})
    given.check_keys(*task.classes)
    classes: dict[int, int] = {}
    for index, name in enumerate(task.classes):
        own = _several(given.values.get(name, name if numbers else None))
        for value in own:
            number: Any = numbers.get(value, value) if isinstance(value, str) else value
            if not is_whole(number):
                known = f", or a name of the data, as `{next(iter(numbers))}` is" if numbers else ""
                raise given.mistake(name, f"a whole number or a list of them{known}", shown(value))
            if number in classes:
                raise given.mistake(name, "numbers of no other class", f"`{number}`")
            classes[number] = index
    return classes


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
