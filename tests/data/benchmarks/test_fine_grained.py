"""The five fine-grained sets in their official layouts: who trains, who measures, and what is said of missing files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from formats import AIRCRAFT, FINE_GRAINED, write_fine_grained

import isthmus
from isthmus.data.benchmarks import fine_grained as module
from isthmus.data.benchmarks import load_problem
from isthmus.data.benchmarks.fine_grained import fine_grained
from isthmus.data.benchmarks.fine_grained_lists import SETS
from isthmus.data.inputs import ImageInput
from isthmus.data.problems import Domain, Exam
from isthmus.data.recipes import Recipe
from isthmus.data.tasks import Setting
from isthmus.errors import DataError


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_fine_grained(folder)
    return folder


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "INPUT", ImageInput(3, 16, 16, (0.5,) * 3, (0.5,) * 3, flip=False))


def colours(part: Domain | Exam) -> torch.Tensor:
    """Of the middle of every image."""
    return part.samples.read(torch.arange(len(part.samples)), torch.Generator())[:, :, 4, 8].int()


def test_every_photograph_is_with_its_class(root: Path) -> None:
    problem = load_problem("fine-grained", root)
    assert problem.setting is Setting.JOINT
    assert [domain.name for domain in problem.domains] == list(FINE_GRAINED) == [part.name for part in SETS]
    for domain, exam in zip(problem.domains, problem.exams):
        assert domain.labels is not None
        assert exam.labels.task == domain.labels.task
        assert domain.labels.task.num_classes == FINE_GRAINED[domain.name]
        seen = [colours(part) for part in (domain, exam)]
        if domain.name == "aircraft":  # its colours stand for the official order, by variant
            order = list(AIRCRAFT)
            labels = [domain.labels.task.classes.index(order[red]) for red in seen[0][:, 0].tolist()]
            assert domain.labels.values.tolist() == labels
            assert len(exam.samples) == 2 * len(AIRCRAFT)
            assert len(domain.samples) == 4 * len(AIRCRAFT)
            continue
        assert torch.equal(seen[0][:, 0], 10 * domain.labels.values.int())
        assert torch.equal(seen[1][:, 0], 10 * exam.labels.values.int())
        assert sorted(seen[0][:, 1].tolist()) == list(range(0, 4 * FINE_GRAINED[domain.name], 2))
        assert sorted(seen[1][:, 1].tolist()) == list(range(1, 4 * FINE_GRAINED[domain.name], 2))


def test_classes_have_names(root: Path) -> None:
    classes = {exam.name: exam.labels.task.classes for exam in fine_grained(root).exams}
    assert classes["birds"] == ("Black footed Albatross", "Laysan Albatross")
    assert classes["dogs"] == ("Chihuahua", "Entlebucher", "Japanese spaniel")
    assert classes["flowers"] == ("flower 1", "flower 2", "flower 3", "flower 4")
    assert classes["cars"] == ("AM General Hummer SUV 2000", "Acura RL Sedan 2012")


def test_validation_photographs_are_not_trained_on(root: Path) -> None:
    problem, validation = fine_grained(root), fine_grained(root, measured_on="validation")
    assert validation.name == "fine-grained:validation"
    for domain, learnt, measured in zip(problem.domains, validation.domains, validation.exams):
        parts = [{tuple(colour) for colour in colours(part).tolist()} for part in (domain, learnt, measured)]
        assert parts[1] | parts[2] == parts[0]
        assert not parts[1] & parts[2]
        assert measured.labels.values.bincount().tolist() == [1] * FINE_GRAINED[domain.name]


def test_aircraft_may_lie_in_a_folder_of_their_own(tmp_path: Path) -> None:
    write_fine_grained(tmp_path)
    (tmp_path / "fgvc-aircraft").mkdir()
    (tmp_path / "fgvc-aircraft-2013b").rename(tmp_path / "fgvc-aircraft" / "fgvc-aircraft-2013b")
    assert len(fine_grained(tmp_path).exams[-1].samples) == 2 * len(AIRCRAFT)


def test_it_can_be_trained_on(root: Path, tmp_path: Path) -> None:
    problem = replace(fine_grained(root), recipe=Recipe(epochs=2, batch_size=4))
    run = isthmus.fit("joint_irls", problem, backbone="digits", out=tmp_path / "out")
    assert list(run.result["heads"]) == ["average", *FINE_GRAINED]


@pytest.mark.parametrize("part", SETS, ids=lambda part: part.name)
def test_what_is_missing_is_named(part: object, tmp_path: Path) -> None:
    name, folder = part.name, part.folders[0]  # type: ignore[attr-defined]
    write_fine_grained(tmp_path)
    photograph = next((tmp_path / folder).rglob("*.jpg"))
    photograph.unlink()
    with pytest.raises(DataError, match=rf"photographs of `{name}`.* but 1 are missing, first `{photograph}`"):
        fine_grained(tmp_path)
    for pattern in ("images.txt", "*list.mat", "setid.mat", "cars_meta.mat", "images_variant_*.txt"):
        for path in (tmp_path / folder).rglob(pattern):
            path.unlink()
    with pytest.raises(DataError, match="official files"):
        fine_grained(tmp_path)
    (tmp_path / folder).rename(tmp_path / "elsewhere")
    with pytest.raises(DataError, match=f"{folder}.*but found nothing.*--data-root"):
        fine_grained(tmp_path)
