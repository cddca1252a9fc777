"""The images and labels of one domain of a problem file: paired files, or NYU Depth v2."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple, cast

from torch import Tensor

from isthmus.data.pixelwise import Depth, Keypoints, PixelTask, Segmentation
from isthmus.data.readers.image_folder import SUFFIXES as IMAGES
from isthmus.data.readers.pixels import nyud
from isthmus.data.readers.pixels.label_files import LOSSLESS, MAPS, POINTS
from isthmus.data.readers.pixels.pairs import named_files, numbered_files, paired
from isthmus.data.readers.pixels.pictures import ImagePaths, LabelPaths, Pictures
from isthmus.data.readers.pixels.tasks import FILE_KEYS, encoding_of
from isthmus.data.readers.sections import Section
from isthmus.errors import DataError

FORMATS: Mapping[str, tuple[str, ...]] = {"folders": ("crop_margin",), "nyud": ("splits", "split")}
"""The keys that a domain of each format may have beside those of all."""
NYUD_ARRAYS = {Segmentation.name: "labels", Depth.name: "depths"}

Labels = dict[PixelTask, Callable[[int], Tensor]]


class LabelFiles(NamedTuple):
    """What a problem file says of the label files of one task: a path at `key`, and options beside it."""

    task: PixelTask
    section: Section
    key: str

    def path(self) -> Path:
        """Where they are."""
        return self.section.path(self.key)


def pictures_of(domain: Section, tasks: Mapping[str, PixelTask], options: Mapping[str, Section]) -> Pictures:
    """The images of a domain with the labels of its keys `labels` and `oracle`; none is decoded.

    Args:
        domain: the mapping that describes it.
        tasks: by name.
        options: what the problem file says of each task's files for all domains, by name.

    Raises:
        DataError: an unknown key, or files that are missing or do not pair.
    """
    if format_of(domain) == "nyud":
        return _of_nyud(domain, tasks, options)
    with domain.blamed("images"):
        images = named_files(domain.path("images"), IMAGES)
    labels: Labels = {}
    for files in _label_files(domain, tasks, options):
        suffixes = POINTS if isinstance(files.task, Keypoints) else MAPS
        labels[files.task] = _label_paths(files, partial(_paired_files, images), suffixes)
    margin = domain.number("crop_margin", zero=True) if "crop_margin" in domain else None
    if margin is not None and Keypoints.name not in label_names(domain):  # the oracle's would reach every method
        expected = "a key of a domain with keypoints under `labels`"
        raise domain.mistake("crop_margin", expected, "one without", "Add them, or leave `crop_margin` out.")
    return Pictures(tuple(map(str, images.values())), ImagePaths(tuple(images.values())), labels, margin)


def _of_nyud(domain: Section, tasks: Mapping[str, PixelTask], options: Mapping[str, Section]) -> Pictures:
    path = domain.path("images")
    with domain.blamed("images"):
        count = nyud.image_count(path)
    split = cast("nyud.Split", domain.choice("split", nyud.SPLITS, "all"))
    numbers = tuple(range(1, count + 1))
    if split != "all":
        with domain.blamed("splits"):
            numbers = nyud.split_numbers(domain.path("splits"), split, count)
    labels: Labels = {}
    for files in _label_files(domain, tasks, options):
        task, place = files.task, files.path()
        if place.suffix.lower() != nyud.SUFFIX:
            labels[task] = _label_paths(files, partial(_numbered_files, numbers), MAPS)
            continue
        if task.name not in NYUD_ARRAYS or "mask" in files.section:
            expected = "a folder of files that are named by the images' numbers"
            raise files.section.mistake(files.key, expected, f"`{place}`")
        with files.section.blamed(files.key):
            nyud.image_count(place)
        names = nyud.class_names(place) if isinstance(task, Segmentation) else None
        labels[task] = nyud.NyudLabels(place, NYUD_ARRAYS[task.name], numbers, encoding_of(files.section, task, names))
    place = path.resolve()
    return Pictures(tuple(f"{place}:{number}" for number in numbers), nyud.NyudImages(path, numbers), labels)


def format_of(domain: Section) -> str:
    """The format of a domain's files."""
    return domain.choice("format", tuple(FORMATS), "folders")


def check_domain(domain: Section, *more: str) -> None:
    """Refuse keys that a domain of its format does not have, these `more` aside."""
    domain.check_keys("format", "images", "labels", *FORMATS[format_of(domain)], *more)


def label_names(domain: Section, key: str = "labels") -> tuple[str, ...]:
    """The tasks that a domain has labels of, by what the file says."""
    section = domain.section(key, {})
    section.check_keys(*FILE_KEYS)
    return tuple(section.values)


def _label_files(
    domain: Section, tasks: Mapping[str, PixelTask], options: Mapping[str, Section]
) -> Iterator[LabelFiles]:
    """What is said of each task with labels: a path, or a mapping with `files` and more."""
    for key in ("labels", "oracle"):
        entries = domain.section(key, {})
        for name in label_names(domain, key):
            value = entries.read(name, "a path, or a mapping with `files`", lambda v: isinstance(v, (str, dict)))
            if isinstance(value, str):
                yield LabelFiles(tasks[name], replace(entries, values={name: value}, defaults=options[name]), name)
            else:
                files = Section(domain.file, entries.at(name), value, options[name])
                files.check_keys("files", *FILE_KEYS[name])
                yield LabelFiles(tasks[name], files, "files")


def _label_paths(
    files: LabelFiles, find: Callable[[Path, frozenset[str]], tuple[Path, ...]], suffixes: frozenset[str]
) -> LabelPaths:
    with files.section.blamed(files.key):
        found = find(files.path(), suffixes)
    masks: tuple[Path, ...] = ()
    if "mask" in files.section:
        with files.section.blamed("mask"):
            masks = find(files.section.path("mask"), LOSSLESS)
    return LabelPaths(found, encoding_of(files.section, files.task), masks)


def _paired_files(images: dict[str, Path], place: Path, suffixes: frozenset[str]) -> tuple[Path, ...]:
    return paired(images, named_files(place, suffixes))


def _numbered_files(numbers: tuple[int, ...], place: Path, suffixes: frozenset[str]) -> tuple[Path, ...]:
    files = numbered_files(place, suffixes)
    missing = [number for number in numbers if number not in files]
    if missing:
        raise DataError(
            f"expected a file for each of {len(numbers)} images in `{place}`, called by its number, such as "
            f"`{missing[0]:05d}.png`, but got none for {len(missing)}."
        )
    return tuple(files[number] for number in numbers)
