"""Output folders: nothing is lost, nothing of others is touched, and every refusal says what to do."""

from __future__ import annotations

import errno
import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from small_problems import (
    IMAGE_PROBLEMS,
    images_problem,
    joint_problem,
    other_classes_problem,
    pixels_problem,
    vectors_problem,
)

import isthmus
from isthmus.data.inputs import ImageInput
from isthmus.data.problems import Problem
from isthmus.data.recipes import Recipe
from isthmus.data.samples import ArraySamples
from isthmus.engine.hardware import Hardware
from isthmus.errors import DataError, DivergenceError, IsthmusError, OptionError, RunFolderError
from isthmus.experiments.folders import comparison_folder, open_folder, run_folder

RECIPE = Recipe(epochs=1, batch_size=8)


def fit(out: Path, problem: Problem | None = None, **options: Any) -> isthmus.Run:
    return isthmus.fit("source_only", problem or vectors_problem(RECIPE), out=out, **options)


def compare(out: Path, *methods: str, problem: Problem | None = None, **options: Any) -> isthmus.Comparison:
    return isthmus.compare(methods or ("source_only",), problem or vectors_problem(RECIPE), out=out, **options)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(autouse=True)
def _quick_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """A report takes seconds, and has tests of its own."""

    def write(folder: Path) -> Path:
        (folder / "report.html").write_text("")
        return folder / "report.html"

    monkeypatch.setattr("isthmus.report.html.write_report", write)


@pytest.fixture(scope="module")
def earlier(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compare(tmp_path_factory.mktemp("earlier") / "out").folder


@pytest.fixture
def finished(earlier: Path, tmp_path: Path) -> Path:
    """A finished comparison."""
    return Path(shutil.copytree(earlier, tmp_path / "out"))


def test_an_earlier_run_is_not_touched_without_being_told(finished: Path) -> None:
    before = files(finished)
    with pytest.raises(RunFolderError, match=r"holds an earlier run.*`--resume`.*`--overwrite`.*`--out`"):
        compare(finished)
    with pytest.raises(RunFolderError, match="got both"):
        compare(finished, resume=True, overwrite=True)
    assert files(finished) == before


def test_a_single_name_is_a_method(tmp_path: Path) -> None:
    found = isthmus.compare("source_only", vectors_problem(RECIPE), out=tmp_path / "out")
    assert [run["method"] for run in found.results["runs"]] == ["source_only"]


def test_a_finished_run_is_only_read_on_resume(finished: Path) -> None:
    def trained(folder: Path) -> dict[str, bytes]:
        return {name: content for name, content in files(folder).items() if name.startswith("runs")}

    before = trained(finished)
    compare(finished, resume=True)
    assert trained(finished) == before


def test_overwrite_replaces_everything(finished: Path) -> None:
    (finished / "runs" / "stale").mkdir()
    compare(finished, "dann", overwrite=True)
    assert [path.name for path in (finished / "runs").iterdir()] == ["dann-seed0"]


@pytest.mark.parametrize("place", [".", "link"])
def test_overwrite_leaves_the_folder_and_what_is_not_of_isthmus(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    own = {"notes.txt": b"precious", "photos/cat/1.png": b"image", ".notes.txt.swp": b"", "runs.txt": b""}
    for name, content in own.items():
        (finished / name).parent.mkdir(parents=True, exist_ok=True)
        (finished / name).write_bytes(content)
    (tmp_path / "link").symlink_to(finished)
    number = finished.stat().st_ino
    monkeypatch.chdir(finished if place == "." else tmp_path)
    compare(Path(place), "dann", overwrite=True)
    assert {name: content for name, content in files(finished).items() if name in own} == own
    assert [path.name for path in (finished / "runs").iterdir()] == ["dann-seed0"]
    assert finished.stat().st_ino == number


@pytest.mark.parametrize(
    ("method", "problem"),
    [
        ("dann", images_problem),
        ("joint_irls", joint_problem),
        ("baseline", pixels_problem),
        ("share_all", IMAGE_PROBLEMS["autoencoder"]),
    ],
)
def test_overwrite_deletes_all_that_a_run_writes(tmp_path: Path, method: str, problem: Any) -> None:
    hardware = Hardware(accelerator="cpu", tensorboard=True)
    run = isthmus.fit(
        method, replace(problem(), recipe=replace(RECIPE, epochs=2)), out=tmp_path / "out", hardware=hardware
    )
    (run.folder / ".history.json.0123.part").touch()
    assert (run.folder / "tensorboard").is_dir()
    config = json.loads((run.folder / "config.json").read_text())
    open_folder(run.folder, config, resume=False, overwrite=True)
    assert [path.name for path in run.folder.iterdir()] == ["config.json"]


def test_a_link_that_is_written_over_leaves_what_it_points_to(finished: Path, tmp_path: Path) -> None:
    moved = (finished / "runs").rename(tmp_path / "elsewhere")
    (finished / "runs").symlink_to(moved)
    before = files(moved)
    compare(finished, overwrite=True)
    assert not (finished / "runs").is_symlink()
    assert files(moved) == before


@pytest.mark.parametrize("options", [{}, {"overwrite": True}, {"resume": True}])
def test_what_a_kill_left_of_the_first_file_is_no_run(tmp_path: Path, options: dict[str, bool]) -> None:
    (tmp_path / ".config.json.0123456789abcdef.part").write_text('{"meth')
    assert fit(tmp_path, **options).result["method"] == "source_only"


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


def hold_code(path: Path) -> None:
    """What torch refuses to read with advice to read it nevertheless."""
    torch.save({"trainer": Path("x")}, path)


@pytest.mark.parametrize(
    ("name", "damage"), [("checkpoint.pt", cut), ("checkpoint.pt", hold_code), ("result.json", cut)]
)
def test_a_damaged_file_costs_one_run(finished: Path, name: str, damage: Any) -> None:
    compare(finished, "dann", resume=True)
    kept, run = finished / "runs" / "source_only-seed0", finished / "runs" / "dann-seed0"
    if name == "checkpoint.pt":  # as of a run that was killed
        (run / "result.json").unlink()
    damage(run / name)
    before = files(kept)
    with pytest.raises(RunFolderError) as refusal:
        compare(finished, "source_only", "dann", resume=True)
    assert str(run / name) in str(refusal.value)
    assert f"Delete the folder {run} and use `--resume`" in str(refusal.value)
    assert not any(word in str(refusal.value) for word in ("--overwrite", "weights_only", "edited"))
    shutil.rmtree(run)
    results = compare(finished, "source_only", "dann", resume=True).results
    assert [row["method"] for row in results["runs"]] == ["source_only", "dann"]
    assert files(kept) == before


def test_damaged_results_cost_no_run(finished: Path) -> None:
    before = files(finished / "runs"), (finished / "results.json").read_bytes()
    cut(finished / "results.json")
    with pytest.raises(RunFolderError, match=r"results\.json`.* Delete it, and run .* again with `--resume`\.$"):
        compare(finished, resume=True)
    (finished / "results.json").unlink()
    compare(finished, resume=True)
    assert (files(finished / "runs"), (finished / "results.json").read_bytes()) == before


@pytest.mark.parametrize("name", ["checkpoint.pt", "result.json"])
def test_a_damaged_file_of_a_single_run(tmp_path: Path, name: str) -> None:
    fit(tmp_path)
    if name == "checkpoint.pt":
        (tmp_path / "result.json").unlink()
    cut(tmp_path / name)
    with pytest.raises(RunFolderError, match=rf"{name}.*Start anew with `--overwrite`\.$"):
        fit(tmp_path, resume=True)
    assert fit(tmp_path, overwrite=True).result["method"] == "source_only"


def test_a_tilde_is_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert fit(Path("~/one")).folder == tmp_path / "one"
    assert compare(Path("~/several")).folder == tmp_path / "several"
    assert {path.name for path in tmp_path.iterdir()} == {"one", "several"}
    for folder in (comparison_folder, lambda out, name: run_folder(out, name, "dann", 0)):
        with pytest.raises(RunFolderError, match=r"a user after `~`, but got ~nobody-here/x.*`--out`"):
            folder("~nobody-here/x", "rows")


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ({"recipe": replace(RECIPE, lr=0.5)}, r"`problem.recipe.lr` was 0.01, is 0.5\. Resume"),
        ({"backbone": "mlp:hidden=8"}, r"`problem.backbone` was \"mlp:hidden=16\", is \"mlp:hidden=8\"\. Resume"),
        ({"select_by": "entropy"}, r"`select_by` was \"information_maximisation\", is \"entropy\"\. Resume"),
    ],
)
def test_resuming_with_other_settings_lists_the_differences(
    finished: Path, change: dict[str, Any], difference: str
) -> None:
    before = files(finished)
    with pytest.raises(RunFolderError, match=difference):
        compare(finished, resume=True, **change)
    assert files(finished) == before


def test_a_comparison_grows_by_seeds_and_methods(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from isthmus.engine.trainer import Trainer

    trained, run = [], Trainer.run

    def counted(self: Trainer, after_epoch: Any) -> None:
        trained.append(self.title)
        run(self, after_epoch)

    monkeypatch.setattr(Trainer, "run", counted)

    def grown(*methods: str, **options: Any) -> list[tuple[str, int]]:
        return [
            (row["method"], row["seed"]) for row in compare(finished, *methods, resume=True, **options).results["runs"]
        ]

    first = json.loads((finished / "results.json").read_text())["runs"]
    assert grown("source_only", seeds=2) == [("source_only", 0), ("source_only", 1)]
    added = [("source_only", 0), ("source_only", 1), ("dann", 0)]
    assert grown("dann") == added
    assert grown("dann", "source_only", first_seed=1) == [*added, ("dann", 1)]
    assert trained == ["source_only seed 1", "dann seed 0", "dann seed 1"]
    assert json.loads((finished / "results.json").read_text())["runs"][0] == first[0]
    whole = compare(tmp_path / "whole", "source_only", "dann", seeds=2)
    scores = {(row["method"], row["seed"]): row["scores"] for row in whole.results["runs"]}
    assert {
        (row["method"], row["seed"]): row["scores"] for row in isthmus.Comparison(finished).results["runs"]
    } == scores
    assert isthmus.Comparison(finished).results["summary"] == whole.results["summary"]


def test_runs_that_the_results_do_not_know_are_found_again(finished: Path) -> None:
    compare(finished, "dann", resume=True)
    (finished / "results.json").unlink()
    rows = compare(finished, "mcc", resume=True).results["runs"]
    assert sorted(row["method"] for row in rows) == ["dann", "mcc", "source_only"]


def test_a_table_of_costs_that_was_changed_is_another_method(tmp_path: Path) -> None:
    problem = replace(other_classes_problem(), recipe=RECIPE)
    source, target = (domain.labels.task.classes for domain in problem.domains if domain.labels)
    table = tmp_path / "costs.csv"

    def write(cost: int) -> str:
        rows = [[name, *(str(cost + i) for i in range(len(target)))] for name in source]
        table.write_text("\n".join(",".join(row) for row in [["", *target], *rows]))
        return f"jtln:cost={table}"

    out = tmp_path / "out"
    done = compare(out, write(1), problem=problem).results["runs"]
    assert compare(out, write(1), problem=problem, resume=True).results["runs"] == done
    with pytest.raises(RunFolderError, match=r"other settings or data: `tables\..*costs\.csv` was "):
        compare(out, write(2), problem=problem, seeds=2, resume=True)


def test_a_table_of_costs_is_read_at_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What becomes of the file while the run goes on changes nothing, and loses nothing."""
    from isthmus.engine.trainer import Trainer

    problem = replace(other_classes_problem(), recipe=RECIPE)
    source, target = (domain.labels.task.classes for domain in problem.domains if domain.labels)
    table, run = tmp_path / "costs.csv", Trainer.run
    table.write_text(
        "\n".join(",".join(row) for row in [["", *target], *([name, *"1" * len(target)] for name in source)])
    )

    def gone(self: Trainer, after_epoch: Any) -> None:
        table.unlink()
        run(self, after_epoch)

    monkeypatch.setattr(Trainer, "run", gone)
    found = compare(tmp_path / "out", f"jtln:cost={table}", problem=problem)
    folder = found.folder / found.results["runs"][0]["folder"]
    kept = json.loads((folder / "config.json").read_text())["tables"]
    assert isthmus.load(folder / "last").trained_on["tables"] == kept
    assert list(kept) == [str(table)]


def test_a_run_that_diverges_after_its_last_loss_is_refused(tmp_path: Path) -> None:
    """The only step's weights are finite, and what the network gives with them is not."""
    problem = images_problem(Recipe(epochs=1, batch_size=24, lr=1e8))
    with pytest.raises(DivergenceError, match=r"some are NaN or infinite.*Use a smaller `--lr`"):
        compare(tmp_path, problem=problem)


def test_a_run_that_is_deleted_leaves_the_results(finished: Path) -> None:
    compare(finished, "dann", resume=True)
    shutil.rmtree(finished / "runs" / "source_only-seed0")
    assert [row["method"] for row in compare(finished, "dann", resume=True).results["runs"]] == ["dann"]


def test_resuming_with_images_of_another_size_is_refused(tmp_path: Path) -> None:
    problem = images_problem(RECIPE)
    fit(tmp_path / "out", problem)
    fit(tmp_path / "out", problem, resume=True)
    other = replace(problem, input=ImageInput(1, 16, 16, (0.0,), (1.0,), flip=False))
    with pytest.raises(RunFolderError, match=r"`input.mean` was \[0.5\], is \[0.0\]; `input.std` was"):
        fit(tmp_path / "out", other, resume=True)


def test_resuming_with_other_data_is_refused(finished: Path) -> None:
    problem = vectors_problem(RECIPE)
    compare(finished, problem=vectors_problem(RECIPE), resume=True)
    before = files(finished)
    assert problem.exam is not None
    assert problem.source.labels is not None
    moved = ArraySamples(problem.target.samples.read(torch.arange(96), torch.Generator()) + 1e-4)
    flipped = replace(problem.source.labels, values=1 - problem.source.labels.values)
    others = {
        "domain 1 \\(here\\)": replace(
            problem, domains=(replace(problem.source, labels=flipped), problem.target), input=problem.input
        ),
        "domain 2 \\(there\\)": replace(problem, domains=(problem.source, replace(problem.target, samples=moved))),
        "exam 1 \\(there\\)": replace(problem, exams=(replace(problem.exam, samples=moved),)),
    }
    for part, other in others.items():
        with pytest.raises(
            RunFolderError, match=rf"other settings or data: `data\.{part}` was \"\w+\", is \"\w+\"\. Resume"
        ):
            compare(finished, problem=other, resume=True)
    assert files(finished) == before


@pytest.mark.parametrize("options", [{}, {"overwrite": True}, {"resume": True}])
@pytest.mark.parametrize("config", [None, "", "{}", "[]", '{"model": "of another program"}'])
def test_folders_of_others_are_never_touched(tmp_path: Path, options: dict[str, bool], config: str | None) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    if config is not None:
        (tmp_path / "config.json").write_text(config)
    before = files(tmp_path)
    with pytest.raises(RunFolderError, match=r"not an output folder of isthmus.*`--out`"):
        fit(tmp_path, **options)
    assert files(tmp_path) == before


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_file_in_the_way_is_refused(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("precious")
    with pytest.raises(RunFolderError, match="`--out`"):
        fit(tmp_path / place)
    assert (tmp_path / "file").read_text() == "precious"


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"methods": ("source_only", "dann:hiden=3")}, "no option `hiden`"),
        ({"methods": ("source_only", "dann:hidden=x")}, "`hidden` of `dann`"),
        ({"methods": ("source_only", "dann:hidden=0")}, "`hidden` of at least 1"),
        ({"methods": ("source_only", "dannn")}, "did you mean `dann`"),
        ({"methods": ("dann", "dann")}, "different methods"),
        ({"seeds": 0}, "`seeds` of at least 1"),
        ({"seeds": [0, 1]}, r"`seeds` to be a whole number, but got \[0, 1\]"),
        ({"first_seed": None}, "`first_seed` to be a whole number, but got None"),
        ({"first_seed": 2**64 - 1, "seeds": 2}, "`first_seed` of at most 18446744073709551615"),
        ({"recipe": {"epochs": 1}}, r"`recipe` to be a `Recipe\(epochs=…\)`, but got {'epochs': 1}"),
        ({"select_by": "nonsense"}, "Unknown score"),
        ({"backbone": "mlp:hidden=0"}, "`hidden` of at least 1"),
        ({"backbone": "digits"}, "`mlp` is for feature vectors"),
        ({"recipe": Recipe(batch_size=97)}, "fewer than a batch of 97"),
    ],
)
def test_a_mistake_costs_nothing(finished: Path, tmp_path: Path, options: dict[str, Any], error: str) -> None:
    """It is found before the first method is trained, an earlier run is deleted, or a folder is made."""
    before = files(finished)
    arguments = {"methods": ("source_only",), "problem": vectors_problem(RECIPE)} | options
    for out, flags in ((finished, {"overwrite": True}), (tmp_path / "new", {})):
        with pytest.raises((OptionError, DataError), match=error):
            isthmus.compare(out=out, **arguments, **flags)
    assert files(finished) == before
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("seed", [None, "1", 1.0, True, 2**64, -(2**63) - 1])
def test_seeds_that_are_none_are_refused(tmp_path: Path, seed: Any) -> None:
    with pytest.raises(OptionError, match="Expected `seed` "):
        fit(tmp_path / "new", seed=seed)
    assert not (tmp_path / "new").exists()


def test_checking_leaves_the_global_random_state_alone(tmp_path: Path) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    fit(tmp_path / "out")
    assert torch.equal(torch.rand(3), expected)


def full_disk(*args: Any, **kwargs: Any) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    "function",
    ["torch.save", "safetensors.torch.save_file", "numpy.savez_compressed", "pathlib.Path.replace"],
)
def test_a_full_disk_is_reported_and_the_run_can_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: str
) -> None:
    done = compare(tmp_path / "out", "source_only", problem=images_problem(RECIPE))
    whole = files(done.folder)
    with monkeypatch.context() as patch:
        patch.setattr(function, full_disk)
        with pytest.raises(RunFolderError, match="No space left on device"):
            compare(tmp_path / "full", "source_only", problem=images_problem(RECIPE))
    assert not [name for name in files(tmp_path / "full") if name.endswith(".part")]
    if function == "pathlib.Path.replace":  # not even the config could be written
        return
    compare(tmp_path / "full", "source_only", problem=images_problem(RECIPE), resume=True)
    resumed = files(tmp_path / "full")
    weights = "runs/source_only-seed0/last/model.safetensors"
    assert resumed[weights] == whole[weights]
    assert set(resumed) == set(whole)


def test_what_is_finished_stays_when_a_later_run_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from isthmus.experiments.job import Job

    run = Job.run

    def failing(self: Job, *args: Any, **kwargs: Any) -> Any:
        if self.method == "dann":
            raise RunFolderError("no more")
        return run(self, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(Job, "run", failing)
        with pytest.raises(IsthmusError, match="no more"):
            compare(tmp_path / "out", "source_only", "dann")
    kept = json.loads((tmp_path / "out" / "results.json").read_text())
    assert [row["method"] for row in kept["runs"]] == ["source_only"]
    both = compare(tmp_path / "out", "source_only", "dann", resume=True)
    assert [row["method"] for row in both.results["runs"]] == ["source_only", "dann"]
    assert both.results["runs"][0] == kept["runs"][0]
