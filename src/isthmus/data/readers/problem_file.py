"""Problems from a YAML file that says where the images and the labels are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from isthmus.data.inputs import ImageInput
from isthmus.data.problems import Domain, Exam, Problem, check_still
from isthmus.data.readers.defaults import default_batch_size
from isthmus.data.readers.folder_classes import refuse_shared
from isthmus.data.readers.folder_file import folders_problem, folders_setting, is_of_folders
from isthmus.data.readers.image_files import MEMORY_BUDGET
from isthmus.data.readers.pixels.domains import check_domain, label_names, pictures_of
from isthmus.data.readers.pixels.pictures import read_pictures, stored_bytes
from isthmus.data.readers.pixels.tasks import FILE_KEYS, task_of
from isthmus.data.readers.sections import Section, read_sections
from isthmus.data.recipes import Recipe
from isthmus.data.samples import ColourJitter
from isthmus.data.tasks import Setting
from isthmus.errors import OptionError
from isthmus.names import listed

SIZE = 256
"""Side of the images in pixels, where the file says nothing: that of Li et al."""
SMALL = 128
"""Smaller images go to the small pyramid, as pretrained encoders leave too little of them."""
RECIPE = Recipe(batch_size=16, optimizer="adam", lr=0.001, weight_decay=0.0, batch_norm="joint")
"""Adam, at a tenth of this rate for a pretrained encoder."""
KEYS = ("name", "size", "backbone", "recipe", "tasks", "source", "target", "exam")


def file_setting(path: Path) -> Setting:
    """The setting of a file's problem; no data is read.

    Raises:
        DataError: mistakes in who has labels of what.
    """
    file = read_sections(path)
    if is_of_folders(file):
        return folders_setting(file)
    _Plan.of(file)
    return Setting.ASSISTED


def file_name(path: Path) -> str:
    """What a file calls its problem; no data is read.

    Raises:
        DataError: no such file, no YAML, or a name that is no text.
    """
    return _name(read_sections(path))


def file_problem(
    path: str | Path,
    *,
    image_size: int | None = None,
    backbone: str | None = None,
    memory_budget: int = MEMORY_BUDGET,
) -> Problem:
    """The problem that a YAML file describes: see the page on problem files.

    Where source and target are paths, or the file lists `domains`, it is that of `folder_problem` or
    `joint_folder_problem`. Otherwise it is one of pixel-wise tasks: those that both domains have labels of are
    the anchors, those of the source alone the main tasks.

    Args:
        path: of the file; paths in it are relative to its folder.
        image_size: side of the images in pixels, instead of the file's `size`.
        backbone: name of the backbone, instead of the file's; it decides the size of images in class folders where
            neither `image_size` nor the file does.
        memory_budget: bytes; where the resized images and labels fit, they stay in memory, or else they lie in a
            temporary file.

    Raises:
        DataError: a mistake in the file, or in a file that it names.
        OptionError: an image size below 1.
    """
    if image_size is not None and image_size < 1:
        raise OptionError(f"Expected `image_size` of at least 1 pixel, but got {image_size}.")
    file = read_sections(Path(path))
    if is_of_folders(file):
        return folders_problem(file, image_size=image_size, backbone=backbone, memory_budget=memory_budget)
    plan = _Plan.of(file)
    size = image_size or file.whole("size", 1, SIZE)
    tasks = {name: task_of(plan.options[name], name, size) for name in label_names(plan.source)}
    found = {key: pictures_of(section, tasks, plan.options) for key, section in plan.sections().items()}
    seen = _check_overlap(file, {key: part.files() for key, part in found.items()})
    input = ImageInput(3, size, size, flip=False)
    check_still(_name(file), input)
    backbone = backbone or file.text("backbone", "resnet50" if size >= SMALL else "pyramid")
    recipe = file.dataclass("recipe", Recipe, _recipe(len(found["source"]), len(found["target"])))
    names = {key: section.text("name", key) for key, section in plan.sections().items()}
    in_memory = sum(stored_bytes(part, input) for part in found.values()) <= memory_budget
    with file.blamed():
        read = {key: read_pictures(part, input, name=key, in_memory=in_memory) for key, part in found.items()}
    (source, known), (target, all_known) = read["source"], read["target"]
    anchors, hidden = (tuple(tasks[name] for name in label_names(plan.target, key)) for key in ("labels", "oracle"))
    return Problem(
        name=_name(file),
        domains=(
            Domain(names["source"], ColourJitter(source), pixels=known),
            Domain(names["target"], ColourJitter(target), pixels=all_known.only(anchors)),
        ),
        input=input,
        backbone=backbone,
        recipe=recipe,
        exams=(Exam(names["target"], *read["exam"], transductive=seen),) if plan.exam else (),
        oracle=all_known.only(hidden) if hidden else None,
    )


def _name(file: Section) -> str:
    return file.text("name", file.file.stem)


def _check_overlap(file: Section, files: Mapping[str, frozenset[Path]]) -> bool:
    """Whether target and exam share images, which makes the exam transductive; the source may share none with them."""
    for key in files:
        if key != "source":
            with file.blamed(f"{key}.images"):
                refuse_shared(files["source"] & files[key], f"`{key}`", "`source`")
    return not files["target"].isdisjoint(files.get("exam", ()))


def _recipe(*lengths: int) -> Recipe:
    """The usual one, with batches no larger than the smallest domain."""
    return replace(RECIPE, batch_size=default_batch_size(*lengths, usual=RECIPE.batch_size))


@dataclass(frozen=True)
class _Plan:
    """Who has labels of what, by the file alone.

    Attributes:
        options: what the file says of each task, by name.
        source: the domain with labels of all tasks.
        target: the one with labels of the anchor tasks.
        exam: where it is measured; None for nowhere.
    """

    options: dict[str, Section]
    source: Section
    target: Section
    exam: Section | None

    @classmethod
    def of(cls, file: Section) -> _Plan:
        """What the file says, checked for what it needs."""
        file.check_keys(*KEYS)
        tasks = file.section("tasks", {})
        tasks.check_keys(*FILE_KEYS)
        plan = cls(
            {name: tasks.section(name, {}) for name in FILE_KEYS},
            file.section("source"),
            file.section("target"),
            file.section("exam") if "exam" in file else None,
        )
        for key, section in plan.sections().items():
            check_domain(section, *{"source": ("name",), "target": ("name", "oracle")}.get(key, ()))
        plan._check_labels()
        return plan

    def sections(self) -> dict[str, Section]:
        """The domains' and the exam's, by key."""
        return {"source": self.source, "target": self.target} | ({"exam": self.exam} if self.exam else {})

    def _check_labels(self) -> None:
        every, anchors = label_names(self.source), label_names(self.target)
        if not every:
            raise self.source.mistake("labels", "a mapping of tasks to their label files", "none")
        main = [name for name in every if name not in anchors]
        if not main or not anchors or not set(anchors) <= set(every):
            raise self.target.mistake(
                "labels",
                f"labels of some but not all tasks of the source, {listed(every)}",
                f"{listed(anchors)}",
                "Those of both domains are the anchor tasks, those of the source alone the main tasks.",
            )
        hidden = label_names(self.target, "oracle")
        if hidden and set(hidden) != set(main):
            raise self.target.mistake("oracle", f"labels of the main tasks, {listed(main)}", listed(hidden))
        if self.exam is not None:
            measured = label_names(self.exam)
            if not set(main) <= set(measured) <= set(every):
                expected = f"labels of the main tasks, {listed(main)}, and of no task that the source lacks"
                raise self.exam.mistake("labels", expected, listed(measured))
