"""Joint problems from folders: what is trained on, what is held out, and what is refused."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from isthmus.data.problems import Problem
from isthmus.data.readers.joint_folders import joint_folder_problem
from isthmus.data.samples import Samples
from isthmus.data.tasks import Setting
from isthmus.errors import DataError

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes 16×16 images, each of another brightness, into a folder a class."""
    level = iter(range(64, 256))

    def write(name: str, **counts: int) -> Path:
        for label, count in counts.items():
            folder = tmp_path / name / label
            folder.mkdir(parents=True)
            for number in range(count):
                Image.fromarray(np.full((16, 16, 3), next(level), np.uint8)).save(folder / f"{number}.png")
        return tmp_path / name

    return write


def levels(samples: Samples) -> set[int]:
    return set(samples.read(torch.arange(len(samples)), torch.Generator())[:, 0, 0, 0].tolist())


def made(write: Write) -> Problem:
    return joint_folder_problem([write("birds", crow=8, owl=4), write("cars", bus=12, van=4, cab=8)])


def test_each_domain_has_its_own_classes_and_an_exam_of_other_images(write: Write) -> None:
    problem = made(write)
    assert problem.setting is Setting.JOINT  # although two domains of other classes
    assert [task.classes for task in problem.outputs] == [("crow", "owl"), ("bus", "cab", "van")]  # type: ignore[union-attr]
    assert [exam.name for exam in problem.exams] == ["birds", "cars"]
    assert [exam.labels.values.bincount().tolist() for exam in problem.exams] == [[2, 1], [3, 2, 1]]
    for domain, exam in zip(problem.domains, problem.exams):
        assert not levels(domain.samples) & levels(exam.samples)
    assert problem.notes == (
        "held out of `birds` for the exam: 3 of 12 images, the same for every seed",
        "held out of `cars` for the exam: 6 of 24 images, the same for every seed",
    )
    assert problem.recipe.batch_size == 9


def test_folders_that_make_no_joint_problem_are_refused(write: Write, tmp_path: Path) -> None:
    birds = write("birds", crow=4, owl=4)
    for one in (birds, str(birds)):  # not its letters
        with pytest.raises(DataError, match=f"at least two domains, but got only `{birds}`"):
            joint_folder_problem(one)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="at least two domains, but got only"):
        joint_folder_problem([birds])
    with pytest.raises(DataError, match=r"8 files of both .*do not overlap"):
        joint_folder_problem([birds, birds])
    with pytest.raises(DataError, match=r"one held out for the exam, but got one in .*van.* Add images\."):
        joint_folder_problem([birds, write("cars", bus=4, van=1)])
    with pytest.raises(DataError, match="at least two class folders"):
        joint_folder_problem([birds, write("one", only=4)])


def test_folders_of_one_name_are_told_apart(write: Write, tmp_path: Path) -> None:
    birds = write("birds", crow=4, owl=4)
    shutil.copytree(birds, tmp_path / "other" / "birds")
    assert [d.name for d in joint_folder_problem([birds, tmp_path / "other" / "birds"]).domains] == [
        f"{tmp_path.name}/birds",
        "other/birds",
    ]
