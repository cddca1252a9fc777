"""Problem files whose domains are folders of images per class: what `--source`, `--target` and `--domains` take."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

from isthmus.data.problems import Problem
from isthmus.data.readers.folder_classes import folder_setting
from isthmus.data.readers.folders import folder_problem
from isthmus.data.readers.joint_folders import joint_folder_problem
from isthmus.data.readers.sections import Section
from isthmus.data.recipes import Recipe
from isthmus.data.tasks import Setting
from isthmus.names import OnBadImage

KEYS = ("name", "size", "backbone", "recipe", "on_bad_image")
DOMAINS = "domains"


def is_of_folders(file: Section) -> bool:
    """Whether the domains are folders: source and target are paths, or there is a list of domains."""
    source, target = (file.values.get(key) for key in ("source", "target"))
    return DOMAINS in file or (isinstance(source, str) and not isinstance(target, dict))


def folders_setting(file: Section) -> Setting:
    """The setting by the names of the class folders; no image is read.

    Raises:
        DataError: folders that make no problem.
    """
    if DOMAINS in file:
        return Setting.JOINT
    source, target = file.path("source"), file.path("target")
    with file.blamed():
        return folder_setting(source, target)


def folders_problem(file: Section, *, image_size: int | None, backbone: str | None, memory_budget: int) -> Problem:
    """The problem of the folders, as `folder_problem` or `joint_folder_problem` make it.

    What is given goes before what the file says.

    Raises:
        DataError: a mistake in the file, or in a folder that it names.
    """
    file.check_keys(*KEYS, *((DOMAINS,) if DOMAINS in file else ("source", "target", "exam")))
    reading: dict[str, Any] = {
        "name": file.text("name", file.file.stem),
        "backbone": backbone or (file.text("backbone") if "backbone" in file else None),
        "image_size": image_size or (file.whole("size", 1) if "size" in file else None),
        "on_bad_image": file.choice("on_bad_image", get_args(OnBadImage), "fail"),
        "memory_budget": memory_budget,
    }
    if DOMAINS in file:
        places = [file.file.parent / Path(name).expanduser() for name in file.names(DOMAINS)]
        with file.blamed(DOMAINS):
            problem = joint_folder_problem(places, **reading)
    else:
        exam = file.path("exam") if "exam" in file else None
        source, target = file.path("source"), file.path("target")
        with file.blamed():
            problem = folder_problem(source, target, exam, **reading)
    return replace(problem, recipe=file.dataclass("recipe", Recipe, problem.recipe))
