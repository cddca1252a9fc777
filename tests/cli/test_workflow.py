"""The commands one after the other, on folders with spaces and accents in their names."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import pytest
from cli_folders import CLASSES, write_classes, write_images
from small_problems import Command

import isthmus
from isthmus.methods import registry

QUICK = ("--epochs", 1, "--batch-size", 6)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("with spaces é")
    write_classes(root / "source é")
    write_classes(root / "target é", seed=10)
    write_classes(root / "held out", seed=20)
    write_classes(root / "damaged", seed=30)
    broken = root / "damaged" / "chien" / "image 3.png"
    broken.write_bytes(broken.read_bytes()[:300])
    write_images(root / "flat", 9)
    for name in CLASSES:  # images deeper than their class folder
        write_images(root / "nested" / name / "2024" / "a b", 4)
    return root


@pytest.fixture(scope="module")
def model(folders: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A model that has learnt where the stripe is."""
    problem = isthmus.folder_problem(folders / "source é", folders / "target é")
    recipe = isthmus.Recipe(epochs=6, batch_size=6, lr=0.05)
    run = isthmus.fit("source_only", problem, out=tmp_path_factory.mktemp("fit") / "out", recipe=recipe)
    return run.folder


@pytest.fixture(autouse=True)
def _quick_report(monkeypatch: pytest.MonkeyPatch) -> None:
    """A report takes seconds, and has tests of its own."""
    monkeypatch.setattr("isthmus.report.html.write_report", lambda folder: folder / "report.html")


def parsed(command: Command, *arguments: object) -> Any:
    code, out, err = command(*arguments)
    assert (code, err) == (0, "")
    return json.loads(out)


@pytest.mark.parametrize(
    ("target", "exam", "measured"),
    [
        ("target é", None, {"name": "target é", "samples": 18, "transductive": True}),
        ("target é", "held out", {"name": "target é", "samples": 18, "transductive": False}),
        ("flat", "held out", {"name": "flat", "samples": 18, "transductive": False}),
        ("flat", None, None),
        ("nested", None, {"name": "nested", "samples": 12, "transductive": True}),
    ],
)
def test_compare_folders(
    isthmus_command: Command, folders: Path, target: str, exam: str | None, measured: dict[str, Any] | None
) -> None:
    flags = () if exam is None else ("--exam", folders / exam)
    source = ("--source", folders / "source é", "--target", folders / target)
    results = parsed(isthmus_command, "compare", *source, *flags, *QUICK, "--methods", "source_only", "dann", "--json")
    assert results["problem"]["exam"] == measured
    assert results["problem"]["classes"] == list(CLASSES)
    assert results["problem"]["recipe"]["batch_size"] == 6
    assert [run["method"] for run in results["runs"]] == ["source_only", "dann"]
    assert all((value is None) == (measured is None) for run in results["runs"] for value in run["scores"].values())
    assert [path.name for path in Path("isthmus-out").iterdir()] == [f"source_é-{target.replace(' ', '_')}"]


def test_the_table_names_methods_scores_and_the_report(isthmus_command: Command, folders: Path) -> None:
    source = ("--source", folders / "source é", "--target", folders / "target é")
    code, out, err = isthmus_command("fit", "dann", *source, *QUICK, "--out", "a b/c")
    assert (code, err) == (0, "")
    for word in ("dann", "last", "selected", "oracle", "18 samples", str(Path("a b/c/report.html"))):
        assert word in out


def test_bad_images_are_left_out_on_demand_and_noted(isthmus_command: Command, folders: Path) -> None:
    source = ("--source", folders / "source é", "--target", folders / "damaged")
    results = parsed(
        isthmus_command,
        *("compare", *source, *QUICK, "--methods", "source_only", "--on-bad-image", "skip", "--json"),
    )
    assert [domain["samples"] for domain in results["problem"]["domains"]] == [18, 17]
    (note,) = results["problem"]["notes"]
    assert "image 3.png" in note


def test_the_table_stands_with_what_to_think_of_it(isthmus_command: Command, folders: Path) -> None:
    source = ("--source", folders / "source é", "--target", folders / "damaged", "--on-bad-image", "skip")
    code, out, _ = isthmus_command("compare", *source, *QUICK, "--methods", "source_only", "dann", "--out", "out")
    text = " ".join(out.split())
    assert code == 0
    assert "One seed is no evidence" in text
    assert "Note: left out of `damaged`: " in text
    results = json.loads(Path("out/results.json").read_text(encoding="utf-8"))
    results["problem"]["exam"] = None
    for run in results["runs"]:
        run["diagnostics"] = []
    run["diagnostics"] = [{"name": "", "value": n, "message": f"{n} [b]classes[/b] are missing."} for n in range(8)]
    Path("out/results.json").write_text(json.dumps(results), encoding="utf-8")
    text = " ".join(isthmus_command("report", "out")[1].split())
    assert "by information_maximisation, a label-free score, which can mislead." in text
    assert "Warning, dann (seed 0): 1 [b]classes[/b] are missing." in text
    assert "2 more warnings are in the report." in text
    assert json.loads(isthmus_command("report", "out", "--json")[1]) == results


def test_a_configuration_file_stands_for_flags(isthmus_command: Command, folders: Path) -> None:
    config = Path("config.yaml")
    config.write_text(
        f"source: '{folders / 'source é'}'\ntarget: '{folders / 'flat'}'\n"
        "methods: [dann:hidden=8]\nepochs: 2\nbatch_size: 6\nlr: 0.5\njson: true\nclip_norm: null\n"
    )
    results = parsed(isthmus_command, "compare", "--config", config, "--epochs", 1)
    recipe = results["problem"]["recipe"]
    assert (recipe["epochs"], recipe["batch_size"], recipe["lr"]) == (1, 6, 0.5)
    assert [run["method"] for run in results["runs"]] == ["dann:hidden=8"]


def test_a_configuration_file_names_the_problem(isthmus_command: Command) -> None:
    Path("config.yaml").write_text("problem: digits-phto\n")
    code, _, err = isthmus_command("compare", "--config", "config.yaml")
    assert (code, "did you mean `digits-photo`" in err) == (2, True)
    code, _, err = isthmus_command("compare", "--config", "config.yaml", "office31")
    assert (code, "`office31` needs a variant" in err) == (2, True)


def test_evaluate_measures_by_class(isthmus_command: Command, folders: Path, model: Path) -> None:
    found = parsed(isthmus_command, "evaluate", model, "--exam", folders / "held out", "--json")
    assert (found["exam"], found["samples"]) == ("held out", 18)
    assert [(row["name"], row["samples"]) for row in found["classes"]] == [(name, 6) for name in CLASSES]
    assert found["accuracy"] == pytest.approx(sum(row["accuracy"] for row in found["classes"]) / 3)
    assert found["accuracy"] > 0.9  # the stripe is plain to see
    code, out, _ = isthmus_command("evaluate", model / "last", "--exam", folders / "held out")
    assert code == 0
    assert f"accuracy {100 * found['accuracy']:.2f} %" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Give labelled images with `--exam DIR`"),
        (("--exam", "flat"), "9 images without class folders"),
        (("--exam", "nowhere"), "got nothing. Check the path."),
        (("digits-photo",), "expected samples stored as (3, 16, 16) and seen as (3, 16, 16), but got (3, 20, 20)"),
        (("digits-phto",), "did you mean `digits-photo`"),
    ],
)
def test_evaluate_refuses(
    isthmus_command: Command, folders: Path, model: Path, arguments: tuple[str, ...], message: str
) -> None:
    given = [folders / a if a in ("flat", "nowhere") else a for a in arguments]
    code, out, err = isthmus_command("evaluate", model, *given)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err


def test_evaluate_takes_the_exam_of_a_built_in_problem_only_for_a_model_of_it(
    isthmus_command: Command, tmp_path: Path
) -> None:
    """Folders may be called as a built-in problem's domains are, with its classes and its size of images."""
    short = ("--epochs", 1, "--steps-per-epoch", 1, "--batch-size", 4)
    digits = write_classes(tmp_path / "digits", tuple("0123456789"))
    write_images(tmp_path / "photo")
    own = ("--source", digits, "--target", tmp_path / "photo", "--image-size", 20)
    parsed(isthmus_command, "fit", "source_only", *own, *short, "--out", "own", "--json")
    code, out, err = isthmus_command("evaluate", "own")
    assert (code, out) == (2, "")
    assert "not trained on a built-in problem (but on `digits-photo`). Give labelled images with `--exam DIR`" in err
    asked = parsed(isthmus_command, "evaluate", "own", "digits-photo", "--json")
    assert asked["exam"] == "photo"
    run = parsed(isthmus_command, "fit", "source_only", "digits-photo", *short, "--out", "built-in", "--json")["runs"][
        0
    ]
    found = parsed(isthmus_command, "evaluate", "built-in", "--json")
    assert (found["exam"], found["samples"]) == ("photo", asked["samples"])
    assert found["accuracy"] == pytest.approx(run["scores"]["last"])


def test_evaluate_takes_the_exam_of_a_file_at_the_size_that_the_model_sees(
    isthmus_command: Command, folders: Path, tmp_path: Path
) -> None:
    file = tmp_path / "stripes.yaml"
    file.write_text(f"source: '{folders / 'source é'}'\ntarget: '{folders / 'target é'}'\n")
    short = ("--image-size", 48, *QUICK, "--out", "out", "--json")
    run = parsed(isthmus_command, "fit", "source_only", file, *short)["runs"][0]
    found = parsed(isthmus_command, "evaluate", "out", file, "--json")
    assert found["accuracy"] == pytest.approx(run["scores"]["last"])
    code, _, err = isthmus_command("evaluate", "out", "digits-photo")
    assert (code, "stored as (3, 56, 56) and seen as (3, 48, 48)" in err) == (2, True)


def test_predict_writes_a_row_for_every_image(isthmus_command: Command, folders: Path, model: Path) -> None:
    code, _, err = isthmus_command("predict", model, folders / "held out", "--out", "found.csv")
    assert (code, err) == (0, "")
    rows = list(csv.DictReader(Path("found.csv").read_text(encoding="utf-8").splitlines()))
    assert len(rows) == 18
    assert list(rows[0]) == ["image", "class", "probability"]
    assert all(1 / 3 <= float(row["probability"]) <= 1 for row in rows)
    right = [row["class"] == Path(row["image"]).parent.name for row in rows]
    accuracy = parsed(isthmus_command, "evaluate", model, "--exam", folders / "held out", "--json")["accuracy"]
    assert sum(right) / len(right) == pytest.approx(accuracy)
    printed = isthmus_command("predict", model, folders / "held out")
    assert printed[1] == Path("found.csv").read_text(encoding="utf-8")


def test_predict_gives_the_same_as_json(isthmus_command: Command, folders: Path, model: Path) -> None:
    image = folders / "flat" / "image 0.png"
    rows = parsed(isthmus_command, "predict", model, image, image, "--json")
    assert len(rows) == 2
    assert rows[0] == rows[1]
    assert (rows[0]["image"], rows[0]["class"] in CLASSES) == (str(image), True)
    code, out, _ = isthmus_command("predict", model, image, image, "--json", "--out", "found.json")
    assert (code, out) == (0, "")
    assert json.loads(Path("found.json").read_text(encoding="utf-8")) == rows


def test_bad_images_are_left_out_of_exams_and_predictions_on_demand(
    isthmus_command: Command, folders: Path, model: Path
) -> None:
    for arguments in (("evaluate", model, "--exam", folders / "damaged"), ("predict", model, folders / "damaged")):
        code, out, err = isthmus_command(*arguments)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert "1 of 18 cannot be read" in err
        assert "leave them out with `--on-bad-image skip`" in err
        code, out, err = isthmus_command(*arguments, "--on-bad-image", "skip", "--json")
        assert (code, err.count("\n")) == (0, 1)
        assert f"Left out: `{folders / 'damaged' / 'chien' / 'image 3.png'}`" in err
        found = json.loads(out)
        if arguments[0] == "evaluate":
            assert [row["samples"] for row in found["classes"]] == [6, 5, 6]
            assert found["accuracy"] > 0.9, "the labels of the others stay theirs"
        else:
            names = [Path(row["image"]).relative_to(folders / "damaged").as_posix() for row in found]
            assert (len(names), "chien/image 3.png" in names) == (17, False)
    code, _, err = isthmus_command("evaluate", model, "digits-photo", "--on-bad-image", "skip")
    assert (code, "is for the images of `--exam DIR`" in err) == (2, True)


def test_the_accelerator_of_a_model_is_chosen(isthmus_command: Command, folders: Path, model: Path) -> None:
    image = folders / "flat" / "image 0.png"
    for arguments in (("predict", model, image), ("evaluate", model, "--exam", folders / "held out")):
        assert isthmus_command(*arguments, "--accelerator", "cpu")[0] == 0
        code, _, err = isthmus_command(*arguments, "--accelerator", "abacus")
        assert (code, "`auto`, `cpu`, `cuda`, `mps`, but got `abacus`" in err) == (2, True)


def test_predictions_that_could_not_be_written_leave_the_old_ones(
    isthmus_command: Command, folders: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(rows: object, file: TextIO, json: bool) -> None:
        file.write("image,cl")
        raise OSError("No space left on device")

    Path("found.csv").write_text("earlier")
    monkeypatch.setattr("isthmus.cli.use.write_rows", full)
    code, out, err = isthmus_command("predict", model, folders / "flat", "--out", "found.csv")
    assert (code, out) == (2, "")
    assert "No space left on device" in err
    assert [(path.name, path.read_text()) for path in Path.cwd().iterdir()] == [("found.csv", "earlier")]


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"no image", "no image of a format known to Pillow"), (b"", "the file is empty"), (None, "nothing there")],
)
def test_predict_refuses_what_is_no_image(
    isthmus_command: Command, model: Path, content: bytes | None, message: str
) -> None:
    if content is not None:
        Path("photo.png").write_bytes(content)
    code, out, err = isthmus_command("predict", model, "photo.png", "--out", "found.csv")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert message in err
    assert "photo.png" in err
    assert not Path("found.csv").exists()


def test_lists_are_tables_and_json(isthmus_command: Command) -> None:
    methods = parsed(isthmus_command, "methods", "--json")
    entries = [*registry.method_entries(), *registry.term_entries()]
    assert [row["name"] for row in methods] == [entry.name for entry in entries]
    assert all(set(row) == {"name", "setting", "summary", "source"} for row in methods)
    problems = parsed(isthmus_command, "problems", "--json")
    offices = next(row for row in problems if row["name"] == "office31")
    assert "office31:amazon-webcam" in offices["variants"]
    for command, rows in (("methods", methods), ("problems", problems)):
        code, out, _ = isthmus_command(command)
        assert code == 0
        assert all(row["name"] in out for row in rows)  # never cut short
    assert "office31:SOURCE-TARGET" in isthmus_command("problems")[1]


def test_a_method_is_described_with_its_options(isthmus_command: Command) -> None:
    described = parsed(isthmus_command, "methods", "dann", "--json")
    assert described["options"] == {"hidden": None, "layers": 2, "trade_off": 1.0, "gamma": 10.0}
    out = isthmus_command("methods", "dann")[1]
    assert "Defaults: dann:hidden=null,layers=2,trade_off=1.0,gamma=10.0\n" in out
    name = out.splitlines()[-1].removeprefix("Defaults: ")
    backbone = isthmus.build_backbone("mlp", (4,))
    assert isinstance(isthmus.build_method(name, backbone, 3), isthmus.Method)


def test_a_term_is_described_with_its_options(isthmus_command: Command) -> None:
    described = parsed(isthmus_command, "methods", "+entropy", "--json")
    assert described["options"] == {"weight": 0.1, "features_only": False}
    assert "Defaults: +entropy:weight=0.1,features_only=False" in isthmus_command("methods", "+entropy")[1]
    assert "did you mean `+entropy`?" in isthmus_command("methods", "+entropi")[2]


def test_what_is_finished_is_shown_after_a_kill(
    isthmus_command: Command, folders: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from isthmus.experiments.job import Job

    run = Job.run

    def killed(self: Job, *arguments: Any, **options: Any) -> Any:
        if self.method == "dann":
            raise KeyboardInterrupt
        return run(self, *arguments, **options)

    monkeypatch.setattr(Job, "run", killed)
    source = ("--source", folders / "source é", "--target", folders / "target é")
    methods = ("--methods", "source_only", "dann")
    assert isthmus_command("compare", *source, *QUICK, *methods, "--out", "out")[0] == 130
    drawn = []
    monkeypatch.setattr("isthmus.report.html.write_report", drawn.append)
    code, out, err = isthmus_command("report", "out")
    assert (code, err, drawn) == (0, "", [Path("out")])
    assert "source_only" in out
    assert f"Report: {Path('out/report.html')}" in out
    assert [run["method"] for run in parsed(isthmus_command, "report", "out", "--json")["runs"]] == ["source_only"]
    code, out, err = isthmus_command("report", "out", "--markdown")
    assert (code, err) == (0, "")
    assert [line.count("|") for line in out.splitlines()[:3]] == [out.splitlines()[0].count("|")] * 3
    assert out.splitlines()[2].startswith("| source_only | **")


@pytest.mark.parametrize(
    "command", ["", "compare", "fit", "evaluate", "predict", "export", "report", "reproduce", "methods", "problems"]
)
def test_help_is_in_plain_words(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from isthmus.cli.main import main

    monkeypatch.setenv("COLUMNS", "100")
    with pytest.raises(SystemExit) as end:
        main([*filter(None, [command]), "--help"])
    out = capsys.readouterr().out
    assert end.value.code == 0
    assert out.startswith(f"usage: isthmus {command}".rstrip())
    assert not [word for word in ("<class", "default: null", "default: None", "Literal[", "SUPPRESS") if word in out]


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    from isthmus.cli.main import main

    with pytest.raises(SystemExit) as end:
        main(["--version"])
    assert end.value.code == 0
    assert capsys.readouterr().out.split() == ["isthmus", isthmus.__version__]
