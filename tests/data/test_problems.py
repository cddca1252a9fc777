"""Problems: their settings, and what is refused; inputs: what a network sees, and their description."""

from __future__ import annotations

import json
from dataclasses import replace
from threading import Barrier
from typing import Any

import pytest
import torch
from small_problems import images_problem, vectors_problem

from isthmus.data.inputs import ImageInput, Input, VectorInput, describe, from_description
from isthmus.data.pixelwise import PixelLabels, SurfaceNormals
from isthmus.data.problems import Domain, Exam, Problem
from isthmus.data.recipes import Recipe
from isthmus.data.samples import ArraySamples, MappedSamples, Subset
from isthmus.data.tasks import Classification, Completion, Generation, ImageTask, Labels, Setting
from isthmus.errors import DataError, ModelFileError, OptionError, SettingError

AB, XY = Classification(("a", "b")), Classification(("x", "y"))
SIX = ArraySamples(torch.zeros(6, 8))


def problem(*tasks: Classification | None) -> Problem:
    domains = tuple(
        Domain(str(place), SIX, Labels(task, torch.arange(6) % 2) if task else None) for place, task in enumerate(tasks)
    )
    return Problem("problem", domains, VectorInput(8), "mlp")


@pytest.mark.parametrize(
    ("tasks", "setting"),
    [
        ((AB, None), Setting.UNSUPERVISED),
        ((AB, XY), Setting.INDUCTIVE),
        ((AB, AB), Setting.JOINT),
        ((AB, XY, AB), Setting.JOINT),
    ],
)
def test_the_setting_follows_from_the_labels(tasks: tuple[Classification | None, ...], setting: Setting) -> None:
    assert problem(*tasks).setting is setting


def with_exams(*tasks: Classification, exams: tuple[Classification, ...], names: str = "pqr") -> Problem:
    domains = tuple(Domain(name, SIX, Labels(task, torch.arange(6) % 2)) for name, task in zip(names, tasks))
    measured = tuple(Exam("exam", SIX, Labels(task, torch.arange(6) % 2)) for task in exams)
    return Problem("problem", domains, VectorInput(8), "mlp", exams=measured)


def test_an_exam_for_each_domain_makes_a_joint_problem() -> None:
    found = with_exams(AB, XY, exams=(AB, XY))
    assert found.setting is Setting.JOINT
    assert found.outputs == (AB, XY)
    assert found.measured == tuple(zip(found.domains, found.exams))
    assert [(domain.name, exam) for domain, exam in problem(AB, AB).measured] == [("0", None), ("1", None)]
    assert [(domain.name, exam) for domain, exam in problem(AB, XY).measured] == [("1", None)]


@pytest.mark.parametrize("names", [("photos", "photos"), ("a/x", "a_x"), ("average", "photos")])
def test_domains_of_a_joint_problem_have_names_of_their_own(names: tuple[str, str]) -> None:
    """Else one would take the other's place in results and folders."""
    two = problem(AB, XY, AB)
    domains = tuple(replace(domain, name=name) for domain, name in zip(two.domains, (*names, "last")))
    with pytest.raises(DataError, match="domains of different names"):
        assert replace(two, domains=domains).measured


def test_an_exam_gives_the_labels_that_it_has() -> None:
    classes = Exam("exam", SIX, Labels(AB, torch.arange(6) % 2))
    pixels = Exam("exam", SIX, PixelLabels({SurfaceNormals(): torch.ones(6, 3, 2, 2)}))
    assert (classes.labels, pixels.pixels) == (classes.truth, pixels.truth)
    with pytest.raises(DataError, match=r"Exam `exam`: expected labels of pixels, but got classes. Read its `labels`"):
        _ = classes.pixels
    with pytest.raises(DataError, match=r"Exam `exam`: expected classes, but got labels of pixels. Read its `pixels`"):
        _ = pixels.labels


def test_exams_that_are_not_the_domains_are_refused() -> None:
    with pytest.raises(DataError, match=r"each of 3 domains, in order, but got 2"):
        with_exams(AB, XY, AB, exams=(AB, XY))
    with pytest.raises(DataError, match=r"exam of `q` to have the domain's own classes, but `exam` has a, b"):
        with_exams(AB, XY, exams=(AB, AB))
    with pytest.raises(DataError, match=r"different names.*but got p, p"):
        with_exams(AB, XY, exams=(AB, XY), names="pp")
    with pytest.raises(DataError, match=r"each of 2 domains, in order, but got 1"):
        _ = with_exams(AB, AB, exams=(AB,)).measured


@pytest.mark.parametrize("tasks", [(AB,), (None, AB), (None, None), (AB, None, None), (AB, AB, None)])
def test_other_labels_are_no_setting(tasks: tuple[Classification | None, ...]) -> None:
    with pytest.raises(SettingError, match=r"none of the settings.*Give a labelled source"):
        _ = problem(*tasks).setting


def test_source_and_target_are_first_and_last() -> None:
    found = problem(AB, None)
    assert (found.source.name, found.target.name, found.task) == ("0", "1", AB)


def test_samples_of_another_shape_are_refused() -> None:
    wide = ArraySamples(torch.zeros(6, 9))
    with pytest.raises(DataError, match=r"`wide`: expected samples of shape \(8,\), but got \(9,\)"):
        replace(problem(AB, None), domains=(problem(AB, None).source, Domain("wide", wide)))
    with pytest.raises(DataError, match="`exam`"):
        replace(problem(AB, None), exams=(Exam("exam", wide, Labels(AB, torch.zeros(6, dtype=torch.long))),))


@pytest.mark.parametrize("kind", [Domain, Exam])
def test_labels_must_be_as_many_as_samples(kind: Any) -> None:
    with pytest.raises(DataError, match=r"expected one label a sample, but got 5 for 6"):
        kind("here", SIX, Labels(AB, torch.zeros(5, dtype=torch.long)))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (torch.zeros(4), "a vector of whole numbers"),
        (torch.zeros(4, 2, dtype=torch.long), "a vector of whole numbers"),
        (torch.tensor([0, 1, 2]), "labels from 0 to 1, one of 2 classes, but got values from 0 to 2"),
        (torch.tensor([-1, 1]), "but got values from -1 to 1"),
    ],
)
def test_labels_outside_the_task_are_refused(values: torch.Tensor, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Labels(AB, values)


@pytest.mark.parametrize(
    ("classes", "message"), [((), "but got none"), (("a",), "only 'a'"), (("a", "b", "a"), "distinct class names")]
)
def test_a_classification_needs_two_distinct_classes(classes: tuple[str, ...], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Classification(classes)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (torch.zeros(4), "but got shape"),
        (torch.zeros(4, 3, 3), "but got shape"),
        (torch.zeros(0, 3), "at least one sample"),
        (torch.tensor([[1.0, 2.0], [float("nan"), 0.0], [0.0, float("inf")]]), r"2 of 3 samples \(first: 1\)"),
        (torch.zeros(2, 3, 4, 4), "as uint8"),
    ],
)
def test_samples_that_training_cannot_use_are_refused(values: torch.Tensor, message: str) -> None:
    with pytest.raises(DataError, match=message):
        ArraySamples(values, name="x")


def test_collections_read_by_index() -> None:
    values = torch.arange(10.0)[:, None]
    part = Subset(ArraySamples(values), torch.tensor([7, 2, 5]))
    computed = MappedSamples(10, lambda index: values[index])
    random, wanted = torch.Generator(), torch.tensor([2, 0])
    assert part.read(wanted, random).flatten().tolist() == [5, 7]
    assert computed.read(wanted, random).flatten().tolist() == [2, 0]
    assert (len(part), len(computed)) == (3, 10)


def test_samples_are_computed_side_by_side() -> None:
    """Each of four waits for the three others."""
    meeting = Barrier(4)

    def load(index: int) -> torch.Tensor:
        meeting.wait(timeout=30)
        return torch.tensor([index])

    samples = MappedSamples(8, load, threads=4)
    assert samples.read(torch.tensor([5, 1, 7, 0]), torch.Generator()).flatten().tolist() == [5, 1, 7, 0]


@pytest.mark.parametrize(
    "input",
    [
        ImageInput(),
        ImageInput.plain(1, 28),
        ImageInput(3, 20, 24, (0.1, 0.2, 0.3), (1.0, 2.0, 3.0), flip=False),
        VectorInput(3, (1.0, 2.0, 3.0), (4.0, 5.0, 6.0)),
        VectorInput(5),
    ],
)
def test_a_description_comes_back_through_json(input: Input) -> None:
    assert from_description(json.loads(json.dumps(describe(input)))) == input


@pytest.mark.parametrize(
    "description",
    [
        {},
        {"kind": "sound"},
        {"kind": []},
        {"kind": "image", "pixels": 3},
        {"kind": "image", "size": 300, "resize": 256},
        {"kind": "image", "channels": 4},
        {"kind": "image", "channels": 1},
        {"kind": "image", "size": "big"},
        {"kind": "image", "std": [1.0, 0.0, 1.0]},
        {"kind": "image", "mean": ["a", "b", "c"]},
        {"kind": "vector"},
        {"kind": "vector", "features": 3, "mean": [1.0, 2.0]},
        {"kind": "vector", "features": 0},
    ],
)
def test_a_wrong_description_is_refused(description: dict[str, Any]) -> None:
    with pytest.raises(ModelFileError, match="`input`"):
        from_description(description)


def test_evaluation_sees_the_centre_normalised() -> None:
    stored = torch.zeros(1, 1, 6, 6, dtype=torch.uint8)
    stored[0, 0, 1:5, 1:5] = torch.arange(16, dtype=torch.uint8).view(4, 4) * 15
    seen = ImageInput(1, 4, 6, (0.2,), (0.4,)).evaluate(stored)
    expected = (torch.arange(16.0).view(1, 1, 4, 4) * 15 / 255 - 0.2) / 0.4
    torch.testing.assert_close(seen, expected)


def test_ten_crops_are_corners_and_centre_and_their_mirror_images() -> None:
    stored = torch.arange(49, dtype=torch.uint8).view(1, 1, 7, 7)
    views = ImageInput(1, 5, 7, (0.0,), (1.0,), ten_crop=True).views(stored)
    seen = {tuple(view.mul(255).round().int().flatten().tolist()) for view in views}
    squares = [stored[0, 0, y : y + 5, x : x + 5] for y, x in ((0, 0), (0, 2), (2, 0), (2, 2), (1, 1))]
    assert seen == {tuple(square.flatten().tolist()) for crop in squares for square in (crop, crop.flip(1))}
    assert len(views) == len(seen) == 10
    with pytest.raises(OptionError, match=r"stored larger.*both have a side of 28 pixels"):
        replace(ImageInput.plain(1, 28), ten_crop=True)


def test_training_sees_every_crop_and_both_mirrors() -> None:
    stored = torch.arange(36, dtype=torch.uint8).view(1, 1, 6, 6).expand(400, -1, -1, -1)
    input = ImageInput(1, 4, 6, (0.0,), (1.0,))
    seen = {tuple(image.flatten().mul(255).round().int().tolist()) for image in input.train(stored, torch.Generator())}
    crops = {tuple(stored[0, 0, y : y + 4, x : x + 4].flatten().tolist()) for y in range(3) for x in range(3)}
    mirrored = {
        tuple(stored[0, 0, y : y + 4, x : x + 4].flip(1).flatten().tolist()) for y in range(3) for x in range(3)
    }
    assert seen == crops | mirrored


def test_vectors_are_standardised_by_the_source() -> None:
    vectors = torch.tensor([[1.0, 5.0], [3.0, 5.0]])
    input = VectorInput.standardising(vectors)
    assert input.evaluate(vectors).tolist() == [[-1.0, 0.0], [1.0, 0.0]]  # the constant feature is only centred
    assert input.evaluate(torch.tensor([[5.0, 6.0]])).tolist() == [[3.0, 1.0]]


@pytest.mark.parametrize(
    "options",
    [
        {"epochs": 0},
        {"steps_per_epoch": 0},
        {"batch_size": 1},
        {"lr": 0.0},
        {"lr": float("nan")},
        {"backbone_lr_factor": -1.0},
        {"momentum": 1.0},
        {"momentum": -0.1},
        {"weight_decay": -1.0},
        {"weight_decay": float("inf")},
        {"clip_norm": 0.0},
        {"evaluations": 0},
        {"epochs": 1.5},
        {"epochs": "3"},
        {"epochs": True},
        {"batch_size": 20.0},
        {"steps_per_epoch": 2.0},
        {"frozen_stages": None},
        {"lr": "0.1"},
        {"clip_norm": [1.0]},
        {"optimizer": "lion"},
        {"schedule": "linear"},
        {"batch_norm": "shared"},
    ],
)
def test_recipes_out_of_range_are_refused(options: dict[str, Any]) -> None:
    (name,) = options
    with pytest.raises(OptionError, match=f"`{name}`"):
        Recipe(**options)


def test_the_test_problems_are_what_they_say() -> None:
    for made in (images_problem(), vectors_problem()):
        assert made.setting is Setting.UNSUPERVISED
        assert made.exam is not None
        assert made.exam.transductive


COMPLETION, GENERATION = Completion(3), Generation()


PLAIN = ImageInput.plain(1, 8)


def image_problem(*tasks: ImageTask | None, input: Input = PLAIN, labels: Labels | None = None) -> Problem:
    images = ArraySamples(torch.zeros(6, *input.stored_shape, dtype=torch.uint8))
    domains = tuple(Domain(str(place), images, task=task) for place, task in enumerate(tasks))
    domains = (*domains[:-1], replace(domains[-1], labels=labels))
    exams = tuple(Exam(domain.name, images) for domain in domains)
    return Problem("problem", domains, input, "autoencoder", exams=exams)


@pytest.mark.parametrize("task", [COMPLETION, GENERATION])
def test_images_without_labels_make_a_joint_problem(task: ImageTask) -> None:
    found = image_problem(task, task, task)
    assert found.setting is Setting.JOINT
    assert (found.image_task, found.outputs) == (task, (task,) * 3)
    assert found.measured == tuple(zip(found.domains, found.exams))
    assert problem(AB, AB).image_task is None
    for exam in found.exams:
        with pytest.raises(DataError, match="expected classes, but got none"):
            _ = exam.labels


@pytest.mark.parametrize(
    ("tasks", "labels", "found"),
    [
        ((COMPLETION,), None, "0: Completion"),
        ((COMPLETION, GENERATION), None, "0: Completion, 1: Generation"),
        ((COMPLETION, None), None, "0: Completion, 1: none"),
        ((COMPLETION, COMPLETION), Labels(AB, torch.arange(6) % 2), "1: Completion and labels"),
    ],
)
def test_image_tasks_beside_anything_else_are_refused(
    tasks: tuple[ImageTask | None, ...], labels: Labels | None, found: str
) -> None:
    with pytest.raises(SettingError, match=found):
        image_problem(*tasks, labels=labels)


def test_images_that_networks_cannot_give_are_refused() -> None:
    with pytest.raises(DataError, match="values from -1 to 1"):
        image_problem(COMPLETION, COMPLETION, input=ImageInput(3, 8, 8))
    with pytest.raises(DataError, match="a hole of at most 8 pixels, the side of the images, but got 9"):
        image_problem(COMPLETION, Completion(9))
