"""Problem files of folders of images per class describe what the flags do."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from isthmus.data.benchmarks import load_problem, setting_of
from isthmus.data.problems import Problem
from isthmus.data.readers.folders import folder_problem
from isthmus.data.readers.joint_folders import joint_folder_problem
from isthmus.data.tasks import Setting
from isthmus.errors import DataError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    for domain, classes in {"a": "xy", "b": "xy", "c": "zw", "flat": ""}.items():
        for name in classes or [""]:
            (tmp_path / domain / name).mkdir(parents=True)
            for number in range(4):
                pixels = random.integers(0, 256, (20, 20, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(tmp_path / domain / name / f"{number}.png")
    return tmp_path


def same(one: Problem, other: Problem) -> bool:
    parts = [(*problem.domains, *problem.exams) for problem in (one, other)]
    everything = [[part.samples.read(torch.arange(len(part.samples)), torch.Generator()) for part in p] for p in parts]
    return all(torch.equal(a, b) for a, b in zip(*everything)) and one.input == other.input and one.notes == other.notes


def test_source_target_and_exam(root: Path) -> None:
    file = root / "letters.yaml"
    for text, setting, expected in (
        ("source: a\ntarget: b\n", Setting.UNSUPERVISED, folder_problem(root / "a", root / "b")),
        (
            "source: a\ntarget: flat\nexam: b\n",
            Setting.UNSUPERVISED,
            folder_problem(root / "a", root / "flat", root / "b"),
        ),
        ("source: a\ntarget: c\n", Setting.INDUCTIVE, folder_problem(root / "a", root / "c")),
        ("domains: [a, b]\n", Setting.JOINT, joint_folder_problem([root / "a", root / "b"])),
    ):
        file.write_text(text)
        problem = load_problem(str(file))
        assert setting_of(str(file)) is setting is problem.setting
        assert problem.name == "letters"
        assert problem.recipe == expected.recipe
        assert same(problem, expected)


def test_name_size_backbone_and_recipe(root: Path) -> None:
    file = root / "l.yaml"
    file.write_text("name: two\nsource: a\ntarget: b\nsize: 24\nbackbone: digits:dropout=0\nrecipe: {epochs: 3}\n")
    problem = load_problem(str(file))
    assert (problem.name, problem.input.shape, problem.backbone) == ("two", (3, 24, 24), "digits:dropout=0")
    assert problem.recipe.epochs == 3
    assert load_problem(str(file), image_size=16).input.shape == (3, 16, 16)


@pytest.mark.parametrize(
    "text", ["source: a\ntarget: b\n", "domains: [a, b]\n", "backbone: svhn\nsource: a\ntarget: b\n"]
)
def test_a_backbone_of_the_callers_choice_decides_the_size(root: Path, text: str) -> None:
    """As it does beside `--source` and `--target`: pretrained networks take 224 pixels, the images have 20."""
    file = root / "l.yaml"
    file.write_text(text)
    problem = load_problem(str(file), backbone="resnet18")
    assert (problem.input.shape, problem.backbone) == ((3, 224, 224), "resnet18")
    assert load_problem(str(file)).input.shape == (3, 20, 20)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("source: a\n", "expected `target` to be text, but got nothing. Add it."),
        ("source: a\ntarget: nowhere\n", "l.yaml`: Expected a folder of images at"),
        ("source: a\ntarget: b\ntasks: {}\n", "expected no key `tasks`"),
        ("source: a\ntarget: {images: b}\n", "expected `source` to be a mapping of keys to values, but got `'a'`."),
        ("domains: [a, b]\nsource: a\n", "expected no key `source`"),
        ("domains: a\n", "expected `domains` to be a list of different names"),
        ("domains: [a]\n", "`domains`: Expected the folders of at least two domains"),
        ("source: a\ntarget: b\nrecipe: {optimizer: lion}\n", "`recipe"),
        (
            "source: a\ntarget: b\non_bad_image: ignore\n",
            "`on_bad_image` to be one of `fail`, `skip`, but got `'ignore'`.",
        ),
    ],
)
def test_mistakes(root: Path, text: str, message: str) -> None:
    file = root / "l.yaml"
    file.write_text(text)
    with pytest.raises(DataError) as caught:
        load_problem(str(file))
    assert message in str(caught.value)
    assert f"`{file}`" in str(caught.value)
