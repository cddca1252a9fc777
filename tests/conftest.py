"""What all tests share: one thread a process, and small problems."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported; several test processes would fight

import pytest
import torch
from hypothesis import settings

from isthmus.cli.main import main
from isthmus.data.inputs import ImageInput, VectorInput
from isthmus.data.problems import Domain, Exam, Problem
from isthmus.data.recipes import Recipe
from isthmus.data.samples import ArraySamples
from isthmus.data.tasks import Classification, Labels
from isthmus.methods.registry import method_entries

torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
settings.register_profile("suite", deadline=None, max_examples=25)
settings.load_profile("suite")

Command = Callable[..., tuple[int, str, str]]

METHODS = tuple(entry.name for entry in method_entries() if entry.setting == "unsupervised")
"""Every registered method of the unsupervised setting; a new one is tested as soon as it is registered."""

RECIPE = Recipe(epochs=4, batch_size=8, lr=0.05, evaluations=4)


def images_problem(recipe: Recipe = RECIPE, samples: int = 24) -> Problem:
    """Grey 16×16 images of three classes: a bright row, whose place is the class; the target is inverted and noisy."""
    random = torch.Generator().manual_seed(0)
    labels = torch.arange(samples) % 3
    source = torch.zeros(samples, 1, 16, 16)
    source[torch.arange(samples), 0, 3 + 5 * labels] = 1
    target = (1 - source) * 0.8 + 0.2 * torch.rand(source.shape, generator=random)
    task = Classification(("top", "middle", "bottom"))
    stored = [ArraySamples((part * 255).to(torch.uint8)) for part in (source, target)]
    return Problem(
        name="rows",
        domains=(Domain("plain", stored[0], Labels(task, labels)), Domain("inverted", stored[1])),
        input=ImageInput.plain(1, 16),
        backbone="digits:dropout=0",
        recipe=recipe,
        exam=Exam("inverted", stored[1], Labels(task, labels), transductive=True),
    )


def vectors_problem(recipe: Recipe = RECIPE, samples: int = 96) -> Problem:
    """Two Gaussian classes in eight dimensions; the target is moved by one unit in every direction."""
    random = torch.Generator().manual_seed(0)
    labels = torch.arange(samples) % 2
    centres = torch.tensor([[-1.0], [1.0]]).expand(2, 8)
    source = centres[labels] + torch.randn(samples, 8, generator=random)
    target = centres[labels] + torch.randn(samples, 8, generator=random) + 1
    task = Classification(("low", "high"))
    return Problem(
        name="gaussians",
        domains=(Domain("here", ArraySamples(source), Labels(task, labels)), Domain("there", ArraySamples(target))),
        input=VectorInput.standardising(source),
        backbone="mlp:hidden=16",
        recipe=recipe,
        exam=Exam("there", ArraySamples(target), Labels(task, labels), transductive=True),
    )


@pytest.fixture
def images() -> Problem:
    return images_problem()


@pytest.fixture
def vectors() -> Problem:
    return vectors_problem()


@pytest.fixture(params=METHODS)
def method_name(request: pytest.FixtureRequest) -> str:
    """Every registered method in turn."""
    return str(request.param)


@pytest.fixture
def isthmus_command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Command:
    """Runs a command in an empty folder; returns its exit code, standard output and standard error."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setenv("COLUMNS", "120")

    def run(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main([os.fspath(a) if isinstance(a, Path) else str(a) for a in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run
