"""Problems from folders of small images made here."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from small_problems import names_of

from isthmus.data.batches import Unlabelled
from isthmus.data.loaders import Draw, DrawnBatches, batches, steps_per_epoch
from isthmus.data.problems import Problem
from isthmus.data.readers.defaults import default_input
from isthmus.data.readers.folders import folder_problem
from isthmus.data.readers.image_folder import find_images, scan_folder
from isthmus.data.readers.pixels.pairs import named_files
from isthmus.data.samples import ArraySamples, MappedSamples, Samples
from isthmus.data.tasks import Setting
from isthmus.errors import DataError, OptionError

Make = Callable[..., Path]


def shades(problem_samples: object, number: int) -> list[int]:
    images = problem_samples.read(torch.arange(number), torch.Generator())  # type: ignore[attr-defined]
    return images[:, 0, 0, 0].tolist()


def shown(samples: Samples) -> list[str]:
    """The names of the files."""
    return [Path(name).name for name in names_of(samples)]


def test_scan_is_nested_sorted_and_passes_over_what_is_no_image(make: Make) -> None:
    root = make("source", dog=2, cat=1)
    (root / "cat" / "b" / "c").mkdir(parents=True)
    Image.new("L", (4, 4)).save(root / "cat" / "b" / "c" / "deep.JPG", "JPEG")
    Image.new("L", (4, 4)).save(root / "cat" / "b" / "camera.jfif", "JPEG")
    for hidden in (".DS_Store", ".hidden.png", "notes.txt", "Thumbs.db"):
        (root / "cat" / hidden).write_bytes(b"")
    (root / ".git").mkdir()
    (root / "__MACOSX").mkdir()
    folder = scan_folder(root)
    assert folder.classes == ("cat", "dog")
    assert [path.relative_to(root).as_posix() for path in folder.paths] == [
        "cat/0.png",
        "cat/b/c/deep.JPG",
        "cat/b/camera.jfif",
        "dog/0.png",
        "dog/1.png",
    ]
    assert folder.labels == (0, 0, 0, 1, 1)


def test_folders_behind_links_are_entered_once_and_links_to_nothing_are_bad_images(make: Make, tmp_path: Path) -> None:
    root, elsewhere = make("source", dog=2, cat=1), make("elsewhere", more=3)
    (root / "cat" / "linked").symlink_to(elsewhere / "more")
    (root / "cat" / "linked" / "circle").symlink_to(root / "cat")
    found = scan_folder(root)
    assert [path.relative_to(root).as_posix() for path in found.paths if found.class_names[0] == "cat"][:4] == [
        "cat/0.png",
        *(f"cat/linked/{number}.png" for number in range(3)),
    ]
    assert len(found.paths) == 6
    (root / "dog" / "lost.png").symlink_to(tmp_path / "nowhere.png")
    with pytest.raises(DataError, match=r"lost\.png"):
        folder_problem(root, make("target", 2))


def test_class_folders_of_the_target_are_the_exam_and_nothing_else(make: Make) -> None:
    problem = folder_problem(make("photos", cat=3, dog=2), make("sketches", cat=1, dog=2))
    assert problem.name == "photos-sketches"
    assert problem.setting is Setting.UNSUPERVISED
    assert problem.task.classes == ("cat", "dog")
    assert problem.source.labels is not None
    assert problem.source.labels.values.tolist() == [0, 0, 0, 1, 1]
    assert shades(problem.source.samples, 5) == [0, 1, 2, 3, 4]
    assert problem.target.labels is None
    assert problem.exam is not None
    assert problem.exam.transductive
    assert problem.exam.name == "sketches"
    assert problem.exam.labels.values.tolist() == [0, 1, 1]
    assert problem.exam.samples is problem.target.samples
    batch = DrawnBatches(problem.target, problem.input)[Draw(torch.tensor([0, 1]), 0)]
    assert isinstance(batch, Unlabelled)
    assert not hasattr(batch, "labels")


def test_flat_target_has_an_exam_only_if_one_is_given(make: Make) -> None:
    source, target, exam = make("s", a=2, b=2), make("t", 3), make("e", b=2)
    assert folder_problem(source, target).exam is None
    problem = folder_problem(source, target, exam)
    assert problem.exam is not None
    assert not problem.exam.transductive
    assert problem.exam.labels.values.tolist() == [1, 1]  # `b`, in the source's order
    assert problem.exam.name == "t"


def test_exam_that_is_or_shares_the_target_is_transductive(make: Make) -> None:
    source, target = make("s", a=2, b=2), make("t", a=1, b=1)
    problem = folder_problem(source, target, target)
    assert problem.exam is not None
    assert problem.exam.transductive
    assert problem.exam.samples is problem.target.samples
    link = target.parent / "link"
    link.symlink_to(target)
    same = folder_problem(source, target, link)
    assert same.exam is not None
    assert same.exam.transductive


def test_images_are_the_same_behind_symbolic_links(make: Make) -> None:
    source, target, exam, other = make("s", a=2, b=2), make("t", a=2, b=2), make("e", a=1, b=1), make("o", c=2, d=2)
    (exam / "a" / "0.png").unlink()
    (exam / "a" / "0.png").symlink_to(target / "a" / "1.png")
    problem = folder_problem(source, target, exam)
    assert problem.exam is not None
    assert problem.exam.transductive
    (exam / "b" / "0.png").unlink()
    (exam / "b" / "0.png").symlink_to(source / "b" / "1.png")
    with pytest.raises(DataError, match=r"Expected other images in `.*e` than in the source .* 1 files of both"):
        folder_problem(source, target, exam)
    with pytest.raises(DataError, match=r"target `.*t`, whose labels are trained on, but got 1 files of both"):
        folder_problem(other, target, exam)


def test_source_may_share_no_image_with_the_others(make: Make) -> None:
    source = make("s", a=2, b=2)
    with pytest.raises(DataError, match=r"Expected other images in .* 4 files of both"):
        folder_problem(source, source)
    with pytest.raises(DataError, match="4 files of both"):
        folder_problem(source, make("t", 2), source)


def test_names_are_paths_and_same_folder_names_get_their_parents(make: Make) -> None:
    problem = folder_problem(make("photos/train", a=1, b=1), make("art/train", 2))
    assert [domain.name for domain in problem.domains] == ["photos/train", "art/train"]
    assert shown(problem.target.samples) == ["0.png", "1.png"]


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        ({"a": 1, "b": 1}, None, r"Expected a folder of images at `.*`, but got nothing"),
        ({"a": 1, "b": 1}, {}, r"Expected images in `.*t` .* but got none"),
        ({"a": 1, "b": 0}, {"a": 1, "b": 1}, r"every class folder of `.*s`, but got none in `b`"),
        ({"a": 1}, {"a": 1}, r"at least two class folders in `.*s`, but got only `a`"),
        ({"a": 1, "b": 1}, {"images": 2}, r"but got only `images`\. .* have no labels, give `.*t/images`"),
        ({"a": 1, "b": 1, "c": 1}, {"b": 1, "d": 1}, r"2 only in the source \(`a`, `c`\) and 1 only in the target"),
    ],
)
def test_folders_that_are_no_problem(
    make: Make, tmp_path: Path, source: dict[str, int], target: dict[str, int] | None, message: str
) -> None:
    place = tmp_path / "nowhere" if target is None else make("t", **target)
    with pytest.raises(DataError, match=message):
        folder_problem(make("s", **source), place)


def test_deep_images_of_a_small_range_are_noted(make: Make, tmp_path: Path) -> None:
    scans = tmp_path / "scans"
    scans.mkdir()
    for number in range(2):  # 12 bits in files of 16
        Image.fromarray(np.full((16, 16), 1800 * (number + 1), dtype=np.uint16)).save(scans / f"{number}.png")
    assert folder_problem(make("photos", cat=1, dog=1), scans).notes == (
        "images of `scans` are nearly black (largest value 14 of 255): scale them to the full range",
    )


def test_more_folders_that_are_no_problem(make: Make) -> None:
    source, flat = make("s", a=1, b=1), make("flat", 2)
    with pytest.raises(DataError, match="but got a file"):
        folder_problem(flat / "0.png", source)
    with pytest.raises(DataError, match=r"Expected class folders in `.*flat`, but got 2 images"):
        folder_problem(flat, source)
    with pytest.raises(DataError, match=r"Expected class folders in `.*flat2`"):
        folder_problem(source, flat, make("flat2", 1))
    with pytest.raises(DataError, match=r"but got both: 1 images \(first: `0.png`\) beside `a`"):
        folder_problem(make("both", 1, a=1, b=1), flat)
    with pytest.raises(DataError, match=r"among the source's \(`a`, `b`\), but got also `z`"):
        folder_problem(source, flat, make("e", a=1, z=1))
    with pytest.raises(OptionError, match=r"one of \('fail', 'skip'\)"):
        folder_problem(source, flat, on_bad_image="ignore")  # type: ignore[arg-type]


@pytest.mark.skipif(sys.platform != "linux", reason="names are any bytes on Linux only")
def test_names_that_are_not_utf_8_are_refused_before_training(make: Make) -> None:
    source, target = make("s", a=1, b=1), make("t", 2)
    (target / "0.png").rename(target / os.fsdecode(b"caf\xe9.png"))
    for call in (
        lambda: folder_problem(source, target),
        lambda: find_images(target),
        lambda: named_files(target, {".png"}),
    ):
        with pytest.raises(DataError, match=r"Expected names in UTF-8, but got `.*/t/caf\\udce9\.png`"):
            call()
    (source / "a").rename(source / os.fsdecode(b"\xe9t\xe9"))
    with pytest.raises(DataError, match=r"UTF-8, but got `.*/s/\\udce9t\\udce9`"):
        scan_folder(source)
    assert scan_folder(make("été", ça=1, là=1)).classes == ("là", "ça")


def spoil(path: Path) -> None:
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8)).save(path)
    path.write_bytes(path.read_bytes()[:300])


@pytest.mark.parametrize("memory_budget", [0, 2**30])
def test_bad_images_are_all_found_before_training(make: Make, memory_budget: int) -> None:
    source, target = make("s", a=4, b=2), make("t", 4)
    for path in (source / "a" / "1.png", target / "2.png"):
        spoil(path)
    with pytest.raises(DataError, match=r"2 of 10 cannot be read: `.*1.png` \(.*\); `.*2.png`.*--on-bad-image skip"):
        folder_problem(source, target, memory_budget=memory_budget)
    problem = folder_problem(source, target, on_bad_image="skip", memory_budget=memory_budget)
    assert problem.source.labels is not None
    assert problem.source.labels.values.tolist() == [0, 0, 0, 1, 1]
    assert shades(problem.source.samples, 5) == [0, 2, 3, 4, 5]
    assert shown(problem.target.samples) == ["0.png", "1.png", "3.png"]
    assert len(problem.notes) == 2
    assert "left out of `s`: 1 of 6 cannot be read" in problem.notes[0]
    assert "1.png" in problem.notes[0]


def test_a_class_or_a_domain_with_bad_images_only(make: Make) -> None:
    source, target = make("s", a=2, b=1), make("t", 1)
    spoil(source / "b" / "0.png")
    with pytest.raises(DataError, match=r"readable images in every class folder .* none in `b`"):
        folder_problem(source, target, on_bad_image="skip")
    spoil(target / "0.png")
    with pytest.raises(DataError, match="Expected images in t, but 1 of 1 cannot be read"):
        folder_problem(source, target, on_bad_image="skip")


def test_many_bad_images_are_counted_and_the_first_named(make: Make) -> None:
    source = make("s", a=9, b=1)
    for index in range(8):
        spoil(source / "a" / f"{index}.png")
    with pytest.raises(DataError, match=r"8 of 11 .*4\.png` \([^)]*\); and 3 more"):
        folder_problem(source, make("t", 1))


def test_memory_budget_decides_where_images_are_and_not_what_they_are(make: Make) -> None:
    source, target = make("s", a=3, b=2), make("t", 3)
    within = folder_problem(source, target, memory_budget=8 * 3 * 20 * 20)
    beyond = folder_problem(source, target, memory_budget=8 * 3 * 20 * 20 - 1)
    assert isinstance(within.source.samples, ArraySamples)
    assert isinstance(beyond.source.samples, MappedSamples)
    indices = torch.tensor([4, 0, 2])
    for one, other in zip(within.domains, beyond.domains):
        at = indices[: len(one.samples)] % len(one.samples)
        assert torch.equal(one.samples.read(at, torch.Generator()), other.samples.read(at, torch.Generator()))
        assert shown(one.samples) == shown(other.samples)


@pytest.mark.parametrize(
    ("side", "options", "size", "resize", "backbone"),
    [
        (8, {}, 16, 16, "digits"),
        (28, {}, 28, 28, "digits"),
        (96, {}, 64, 72, "resnet18:pretrained=false"),
        (500, {}, 224, 256, "resnet50"),
        (500, {"image_size": 32}, 32, 32, "digits"),
        (28, {"image_size": 224}, 224, 256, "resnet50"),
        (28, {"backbone": "resnet18"}, 224, 256, "resnet18"),
        (28, {"backbone": "resnet18:pretrained=false"}, 28, 28, "resnet18:pretrained=false"),
        (500, {"backbone": "svhn"}, 40, 40, "svhn"),
    ],
)
def test_default_input(side: int, options: dict[str, object], size: int, resize: int, backbone: str) -> None:
    input, chosen = default_input(side, **options)  # type: ignore[arg-type]
    assert (input.size, input.resize, chosen) == (size, resize, backbone)


def test_size_follows_the_larger_domain(make: Make) -> None:
    problem: Problem = folder_problem(make("s", a=1, b=1, side=16), make("t", 2, side=100))
    assert problem.input.shape == (3, 64, 64)
    assert folder_problem(make("u", a=1, b=1, side=16), make("v", 2, side=24)).input.shape == (3, 24, 24)
    with pytest.raises(OptionError, match="image_size"):
        folder_problem(make("w", a=1, b=1), make("x", 1), image_size=0)


def test_the_recipe_fits_a_small_domain_beside_a_large_one(make: Make) -> None:
    """All 70 images of the larger one are seen in an epoch, but for those that fill no batch."""
    large, small = make("large", a=35, b=35), make("small", a=10, b=10)
    problem = folder_problem(large, make("flat", 20))
    assert (problem.recipe.batch_size, steps_per_epoch(problem)) == (20, 3)
    assert steps_per_epoch(folder_problem(small, make("many", 70))) == 3
    problem = folder_problem(large, make("half", 40))
    assert (problem.recipe.batch_size, steps_per_epoch(problem)) == (32, 2)


def test_images_beyond_memory_are_read_by_worker_processes(make: Make) -> None:
    problem = folder_problem(make("s", a=3, b=2), make("t", 4), memory_budget=0)
    problem = replace(problem, recipe=replace(problem.recipe, batch_size=2))
    alone, shared = (list(batches(problem, seed=0, start=0, stop=2, workers=workers)) for workers in (0, 1))
    for one, other in zip(alone, shared):
        assert torch.equal(one.source.images, other.source.images)
        assert torch.equal(one.target.images, other.target.images)
