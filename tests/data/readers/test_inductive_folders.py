"""Folders whose target has classes of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image
from small_problems import names_of

from isthmus.data.problems import Problem
from isthmus.data.readers.defaults import default_recipe
from isthmus.data.readers.folder_classes import folder_setting
from isthmus.data.readers.folders import folder_problem
from isthmus.data.samples import Samples
from isthmus.data.tasks import Setting
from isthmus.errors import DataError

Make = Callable[..., Path]


def files(samples: Samples) -> list[str]:
    return ["/".join(Path(name).parts[-2:]) for name in names_of(samples)]


def labelled_files(problem: Problem) -> list[tuple[str, str]]:
    """File and class of each of the target's images, and of the exam's."""
    assert problem.target.labels is not None
    assert problem.exam is not None
    names = [*files(problem.target.samples), *files(problem.exam.samples)]
    labels = [*problem.target.labels.values.tolist(), *problem.exam.labels.values.tolist()]
    return [(name, problem.task.classes[label]) for name, label in zip(names, labels)]


def test_other_classes_are_learnt_and_a_quarter_of_each_is_held_out(make: Make) -> None:
    source, target = make("animals", cat=5, dog=4), make("plants", oak=8, rose=3, fern=2)
    problem = folder_problem(source, target)
    assert problem.setting is Setting.INDUCTIVE
    assert [domain.labels and domain.labels.task.classes for domain in problem.domains] == [
        ("cat", "dog"),
        ("fern", "oak", "rose"),
    ]
    assert problem.task.classes == ("fern", "oak", "rose")
    assert problem.target.labels is not None
    assert problem.exam is not None
    assert problem.target.labels.values.bincount().tolist() == [1, 6, 2]
    assert problem.exam.labels.values.bincount().tolist() == [1, 2, 1]
    assert problem.exam.name == "plants"
    assert not problem.exam.transductive
    assert problem.notes == ("held out of `plants` for the exam: 4 of 13 images, the same for every seed",)
    found = labelled_files(problem)
    assert sorted(name for name, _ in found) == sorted(
        f"{name}/{place}.png" for name, number in (("oak", 8), ("rose", 3), ("fern", 2)) for place in range(number)
    )
    assert all(name.split("/")[0] == label for name, label in found)
    assert labelled_files(folder_problem(source, target)) == found


def test_with_an_exam_of_its_own_every_target_image_trains(make: Make) -> None:
    source, target, exam = make("animals", cat=5, dog=4), make("plants", oak=1, rose=3), make("held", rose=2)
    problem = folder_problem(source, target, exam)
    assert len(problem.target.samples) == 4
    assert problem.exam is not None
    assert files(problem.exam.samples) == ["rose/0.png", "rose/1.png"]
    assert problem.exam.labels.values.tolist() == [1, 1]
    assert problem.exam.labels.task == problem.task
    assert not problem.exam.transductive
    assert problem.notes == ()


def test_images_that_are_left_out_are_not_held_out(make: Make) -> None:
    source, target = make("animals", cat=2, dog=2), make("plants", oak=3, rose=4)
    (target / "oak" / "1.png").write_bytes(b"no image")
    problem = folder_problem(source, target, on_bad_image="skip")
    assert sorted(name for name, _ in labelled_files(problem) if "oak" in name) == ["oak/0.png", "oak/2.png"]
    assert "1 of 7 cannot be read" in problem.notes[0]
    assert "held out of `plants` for the exam: 2 of 6" in problem.notes[1]
    (target / "oak" / "2.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"at least two readable images in every class folder of .* one in `oak`"):
        folder_problem(source, target, on_bad_image="skip")


def test_a_single_image_can_not_be_held_out(make: Make) -> None:
    with pytest.raises(DataError, match=r"one to train on and one held out .* one in `oak`, `yew`\. .*`--exam`"):
        folder_problem(make("animals", cat=2, dog=2), make("plants", oak=1, rose=2, yew=1))


@pytest.mark.parametrize(
    ("target", "setting"),
    [
        ({"cat": 1, "dog": 1}, Setting.UNSUPERVISED),
        ({"oak": 1, "rose": 1}, Setting.INDUCTIVE),
        ({"": 3}, Setting.UNSUPERVISED),
    ],
)
def test_class_folders_decide_and_no_image_is_read(make: Make, target: dict[str, int], setting: Setting) -> None:
    source = make("s", cat=1, dog=1)
    place = make("t", target.pop("", 0), **target)
    for image in (*source.rglob("*.png"), *place.rglob("*.png")):
        image.write_bytes(b"no image")
    assert folder_setting(source, place) is setting


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (
            {"cat": 1, "dog": 1, "oak": 1},
            r"no class in both, .* 0 only in the source \(none\) and 1 only in .* \(`oak`",
        ),
        ({"cat": 1, "oak": 1, "yew": 1}, r"1 only in the source \(`dog`\) and 2 only in the target"),
        ({"Cat": 1, "Dog": 1}, r"2 only in the source \(`cat`, `dog`\) and 2 only in the target \(`Cat`, `Dog`\)"),
        ({"oak": 3}, r"at least two class folders in `.*t`, but got only `oak`"),
    ],
)
def test_some_classes_of_both_or_one_class_are_a_mistake(make: Make, target: dict[str, int], message: str) -> None:
    source, place = make("s", cat=1, dog=1), make("t", **target)
    for read in (folder_setting, folder_problem):
        with pytest.raises(DataError, match=message):
            read(source, place)  # type: ignore[operator]


def test_what_an_inductive_exam_may_not_be(make: Make) -> None:
    source, target = make("s", cat=2, dog=2), make("t", oak=2, rose=2)
    with pytest.raises(
        DataError, match=r"other images in `.*t` than in the target `.*t`, whose labels are trained on, .* 4"
    ):
        folder_problem(source, target, target)
    (target.parent / "link").symlink_to(target)
    with pytest.raises(DataError, match="4 files of both"):
        folder_problem(source, target, target.parent / "link")
    with pytest.raises(DataError, match=r"among the target's \(`oak`, `rose`\), but got also `cat`, `dog`"):
        folder_problem(source, target, make("of_source", cat=1, dog=1))
    with pytest.raises(DataError, match=r"Expected class folders in `.*flat`, but got 3 images"):
        folder_problem(source, target, make("flat", 3))


def test_the_recipe_fits_few_images(make: Make) -> None:
    problem = folder_problem(make("s", cat=30, dog=20), make("t", oak=6, rose=6))
    assert len(problem.target.samples) == 10
    assert (problem.recipe.batch_size, problem.recipe.steps_per_epoch) == (10, 5)
    many = default_recipe(source=1000, target=400)
    assert (many.batch_size, many.steps_per_epoch) == (32, 31)


def test_images_are_those_of_the_files(make: Make, tmp_path: Path) -> None:
    problem = folder_problem(make("s", cat=2, dog=2), make("t", oak=4, rose=4))
    assert problem.exam is not None
    for part in (problem.target, problem.exam):
        shades = part.samples.read(torch.arange(len(part.samples)), torch.Generator())[:, 0, 0, 0].tolist()
        assert shades == [Image.open(name).getpixel((0, 0))[0] for name in names_of(part.samples)]  # type: ignore[index]
