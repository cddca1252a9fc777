"""What a user gets wrong: exit code 2, one line that says what to do, no stack trace, and nothing done."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cli_folders import write_classes, write_images
from small_problems import Command

from isthmus.cli.flags import Folders, Training
from isthmus.cli.parsing import Changes, call, command_parser
from isthmus.data.recipes import Recipe
from isthmus.data.tasks import Setting
from isthmus.methods import Method, registry


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("folders")
    write_classes(root / "source")
    write_classes(root / "target", seed=10)
    write_classes(root / "others", ("chien", "été", "loup"))
    write_classes(root / "one class", ("chien",))
    write_classes(root / "empty class")
    (root / "empty class" / "loup").mkdir()
    write_classes(root / "mixed")
    write_images(root / "flat", 12)
    (root / "mixed" / "stray.png").write_bytes((root / "flat" / "image 0.png").read_bytes())
    write_classes(root / "damaged")
    broken = root / "damaged" / "chien" / "image 3.png"
    broken.write_bytes(broken.read_bytes()[:300])
    (root / "empty").mkdir()
    for name, description in (
        ("model", '{"schema": 1}'),
        ("pixels", '{"schema": 1, "tasks": []}'),
        ("painter", '{"schema": 1, "image_task": {}}'),
    ):
        (root / name).mkdir()
        (root / name / "model.json").write_text(description)
        (root / name / "model.safetensors").touch()
    (root / "file").write_text("no folder")
    (root / "wrong.yaml").write_text("epochs: many\n")
    (root / "unknown.yaml").write_text("epoch: 3\n")
    (root / "broken.yaml").write_text(":::\n - [")
    (root / "text.yaml").write_text("methods: dann\n")
    return root


@pytest.fixture
def refuse(isthmus_command: Command, folders: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Runs a command that must be refused before any training, and returns its message; `@name` is a folder above."""

    def train(*arguments: Any) -> None:
        pytest.fail("training began")

    monkeypatch.setattr("isthmus.engine.trainer.Trainer.run", train)

    def run(*arguments: object) -> str:
        code, out, err = isthmus_command(
            *[folders / a[1:] if isinstance(a, str) and a.startswith("@") else a for a in arguments]
        )
        assert code == 2
        assert out == ""
        assert err.count("\n") == 1
        assert err.startswith("isthmus")
        assert "Traceback" not in err
        assert list(Path.cwd().iterdir()) == []
        return err

    return run


OWN = ("compare", "--source", "@source", "--target", "@target", "--batch-size", "6", "--methods", "source_only")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--source", "@nowhere"), "nowhere`, but got nothing. Check the path."),
        (("--source", "@file"), "file`, but got a file. Check the path."),
        (("--target", "@empty"), "but got none. Put a folder of images per class there"),
        (("--source", "@empty"), "but got none. Put a folder of images per class there"),
        (("--source", "@flat"), "Put each image into a folder named after its class."),
        (("--source", "@one class"), "at least two class folders in `"),
        (("--target", "@empty class"), "none in `loup`. Add images or remove the empty folder."),
        (("--target", "@mixed"), "`stray.png`"),
        (("--target", "@others"), "1 only in the source (`chat noir`) and 1 only in the target (`loup`)"),
        (("--exam", "@others"), "but got also `loup`"),
        (("--target", "@source"), "Give folders that do not overlap."),
        (("--target", "@damaged"), "image 3.png` (image file is truncated). Replace or remove them, or leave them out"),
        (("--image-size", "0"), "`image_size` of at least 1"),
        (("--image-size", "8"), "at least 16×16 pixels, but got 8×8"),
        (("--batch-size", "19"), "`source` has 18 samples, fewer than a batch of 19. Use `--batch-size 18` or less."),
        (("--batch-size", "0"), "`batch_size` of at least 2, but got 0"),
        (("--batch-size", "six"), "Expected `--batch-size` to be a whole number, but got `six`."),
        (("--epochs", "0"), "`epochs` of at least 1, but got 0"),
        (("--epochs", "1.5"), "Expected `--epochs` to be a whole number, but got `1.5`."),
        (("--lr", "-1"), "a positive `lr`, but got -1.0"),
        (("--lr", "fast"), "Expected `--lr` to be a number, but got `fast`."),
        (("--clip-norm", "x"), "Expected `--clip-norm` to be a number, but got `x`."),
        (("--optimizer", "lion"), "Expected `--optimizer` to be one of `sgd`, `adam`, `adamw`, but got `lion`."),
        (("--on-bad-image", "ask"), "to be one of `fail`, `skip`, but got `ask`."),
        (("--precision", "foo"), "`precision` to be one of ('32-true',"),
        (("--devices", "0"), "`devices`"),
        (("--accelerator", "abacus"), "abacus"),
        (("--strategy", "ddp_spawn"), "Expected `strategy` to be one of ('auto', 'ddp'), but got 'ddp_spawn'."),
        (("--seeds", "0"), "`seeds` of at least 1, but got 0"),
        (("--seeds", "x"), "Expected `--seeds` to be a whole number, but got `x`."),
        (("--select-by", "entropie"), "did you mean `entropy`?"),
        (("--ten-crop",), "stored larger than the network sees them"),
        (("--backbone", "digitz"), "did you mean `digits`?"),
        (("--backbone", "mlp"), "`mlp` is for feature vectors"),
        (("--backbone", "digits:dropout=2"), "`dropout` below 1, but got 2.0"),
        (("--methods", "symnet"), "did you mean `symnets`? `isthmus methods` lists them."),
        (("--methods", "dann:hiden=3"), "`dann` has no option `hiden`; its options are: `hidden`,"),
        (("--methods", "dann:hidden=x"), "Expected `hidden` of `dann` as `int | None`, but got `x`."),
        (("--methods", "dann:hidden=0"), "`hidden` of at least 1, but got 0"),
        (("--methods", "dann:layers=-1"), "`layers` of at least 0, but got -1"),
        (("--methods", "source_only", "dann:gamma=x"), "Expected `gamma` of `dann`"),
        (("--methods", "dann", "dann"), "different methods"),
        (("--methods", "dann", "mnist-usps"), "but got the problem `mnist-usps`. Give it before `--methods`."),
        (("--methods", "dann", "rooms.yaml"), "but got the problem `rooms.yaml`. Give it before `--methods`."),
        (("--methods",), "expected at least one argument"),
        (("--out", "@file"), "but a file is there. Choose another with `--out`."),
        (("--resume", "--overwrite"), "one of `--resume` and `--overwrite`, but got both"),
        (("--epoch", "3"), "Unknown argument `--epoch`; did you mean `--epochs`"),
        (("--config", "@nowhere.yaml"), "does not exist"),
        (("--config", "@wrong.yaml"), "Expected `--epochs` to be a whole number, but got `many`."),
        (("--config", "@unknown.yaml"), "`epoch`; did you mean `epochs`"),
        (("--config", "@broken.yaml"), "Problems parsing config"),
        (("--config", "@text.yaml"), "Expected lists in the configuration file"),
    ],
)
def test_mistakes_with_images_of_ones_own(refuse: Callable[..., str], arguments: tuple[str, ...], message: str) -> None:
    assert message in refuse(*OWN, *arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nosuch",), "isthmus: Unknown command `nosuch`. `isthmus --help` lists them."),
        (("comparre",), "did you mean `compare`?"),
        (("--seeds", "3"), "Unknown command `--seeds`"),
        (
            ("compare", "digits-phto"),
            "did you mean `digits-photo` or `digits-looks` or `digits-others`?",
        ),
        (("compare", "office31"), "needs a variant, such as `office31:amazon-dslr`"),
        (("compare", "digits-photo:exam"), "has no variants"),
        (("compare", "digits-photo", "more"), "Unknown argument `more`"),
        (("compare", "digits-photo", "--source", "@source"), "but got both (`digits-photo`)"),
        (("compare", "digits-photo", "--image-size", "32"), "but got both (`digits-photo`)"),
        (("compare", "--exam", "@target"), "`--source` is missing"),
        (("compare", "--source", "@source"), "`--target` is missing"),
        (("compare", "--image-size", "32"), "`--source` is missing"),
        (("compare", "office31:amazon-dslr", "--data-root", "@empty"), "`--data-root` or `ISTHMUS_DATA`"),
        (("fit",), "The following arguments are required: method"),
        (("fit", "symnet"), "did you mean `symnets`?"),
        (("fit", "dann", "--seed", "9" * 23), "Expected `seed` of at most 18446744073709551615, but got 999"),
        (("fit", "dann", "--seed", "-" + "9" * 23), "Expected `seed` of at least -9223372036854775808, but got -999"),
        (("methods", "symnet"), "did you mean `symnets`?"),
        (("methods", "dann:hidden=3"), "without options, but got `dann:hidden=3`. Ask for `dann`"),
        (("methods", "dann+dfa"), "and for each term by itself: `isthmus methods +dfa`"),
        (("evaluate", "@empty"), "Expected the folder of a run or of a model"),
        (("evaluate", "@model", "digits-photo", "--exam", "@target"), "but got both"),
        (("evaluate", "@pixels", "--exam", "@target"), "Name a problem to measure a model for pixel-wise tasks."),
        (("evaluate", "@pixels", "shapes", "--on-bad-image", "skip"), "are for folders of classes"),
        (("predict", "@empty", "@flat"), "Expected the folder of a run or of a model"),
        (("report", "@empty"), "Give the folder that `isthmus compare` or `isthmus fit` wrote."),
        (("predict", "@empty"), "The following arguments are required: images"),
        (("predict", "@pixels", "@flat"), "give a folder for them with `--out DIR`"),
        (("predict", "@model", "@flat", "--out", "@empty"), "a folder is there"),
        (("predict", "@model", "@flat", "--out", "@nowhere/x.csv"), "its folder does not exist"),
        (("export", "@model"), "The following arguments are required: file"),
        (("export", "@empty", "x.onnx"), "Expected the folder of a run or of a model"),
        (("export", "@model", "@empty"), "Expected `file` to be the path of a file to write"),
        (("export", "@model", "@nowhere/x.onnx"), "its folder does not exist"),
        (("export", "@painter", "x.onnx"), "completes or generates images, which is not exported"),
    ],
)
def test_mistakes_with_commands(refuse: Callable[..., str], arguments: tuple[str, ...], message: str) -> None:
    assert message in refuse(*arguments)


@pytest.fixture
def unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """To read the data of a problem is a failure."""
    for place in ("isthmus.data.benchmarks.load_problem", "isthmus.data.readers.folders.folder_problem"):
        monkeypatch.setattr(place, lambda *arguments, **options: pytest.fail("data was read"))


def test_a_method_of_another_setting_is_refused_before_data_is_read(
    refuse: Callable[..., str], unread: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Joint(Method[Any]):
        setting = Setting.JOINT

    entry = registry.MethodEntry("joint", "joint", "for another setting", "", lambda: Joint)
    monkeypatch.setitem(registry._ENTRIES, "joint", entry)
    expected = "`joint` is for the joint setting, but the problem is of the unsupervised setting."
    assert expected in refuse("compare", "--methods", "source_only", "joint")
    assert expected in refuse("fit", "joint", "office31:amazon-dslr")
    assert expected in refuse(*OWN, "--methods", "joint")


@pytest.mark.parametrize("none", ["None", "null"])
def test_none_is_a_value_that_is_given(none: str) -> None:
    given: list[dict[str, Any]] = []

    def command(*, recipe: Changes[Recipe]) -> None:
        given.append(recipe.values)

    parser = command_parser(command)
    call(command, parser.parse_args(["--steps-per-epoch", none, "--clip-norm", none, "--epochs", "3"]))
    assert given.pop() == {"steps_per_epoch": None, "clip_norm": None, "epochs": 3}
    call(command, parser.parse_args(["--clip-norm", "2"]))
    assert given.pop() == {"clip_norm": 2.0}


@pytest.mark.parametrize("from_file", [False, True], ids=["flags", "file"])
def test_a_tilde_is_the_home_folder_in_every_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, from_file: bool
) -> None:
    given: list[Any] = []

    def command(images: list[Path], *, spare: Path | None = None, training: Training, folders: Folders) -> None:
        given.extend([images, spare, training, folders])

    monkeypatch.setenv("HOME", str(tmp_path))
    arguments = ["~/a", "b", "--out=~/c", "--source=~/d", "--target=~/e", "--domains", "~/f", "g~", "--data-root=~/h"]
    if from_file:
        config = "{out: ~/c, source: ~/d, target: ~/e, domains: [~/f, g~], data_root: ~/h}"
        (tmp_path / "config.yaml").write_text(config)
        arguments = ["~/a", "b", "--config", str(tmp_path / "config.yaml")]
    call(command, command_parser(command).parse_args(arguments))
    images, spare, training, folders = given
    assert images == [tmp_path / "a", Path("b")]
    assert spare is None
    assert (training.out, training.data_root) == (tmp_path / "c", tmp_path / "h")
    assert (folders.source, folders.target) == (tmp_path / "d", tmp_path / "e")
    assert list(folders.domains) == [tmp_path / "f", Path("g~")]


def test_the_home_folder_of_nobody_is_refused(refuse: Callable[..., str]) -> None:
    message = refuse("report", "~nobody-here/out")
    assert "a user after `~`, but got `~nobody-here/out`. Write `./~nobody-here/out`" in message


@pytest.mark.parametrize("own", [True, False], ids=["folders", "built in"])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--seeds", "0"), "`seeds` of at least 1, but got 0"),
        (("--methods", "dann", "dann"), "different methods"),
        (("--methods", "dann", "mnist-usps"), "but got the problem `mnist-usps`. Give it before `--methods`."),
        (("--methods", "dann", "rooms.yaml"), "but got the problem `rooms.yaml`. Give it before `--methods`."),
        (("--methods", "source_only", "dann:gama=3"), "`dann` has no option `gama`"),
        (("--methods", "dann:gamma=x"), "Expected `gamma` of `dann`"),
        (("--methods", "dann+dfb"), "did you mean `+dfa`"),
        (("--lr", "-1"), "a positive `lr`, but got -1.0"),
        (("--resume", "--overwrite"), "one of `--resume` and `--overwrite`, but got both"),
        (("--out", "@flat"), "not an output folder of isthmus"),
        (("--out", "@file"), "but a file is there"),
    ],
)
def test_what_needs_no_data_is_told_before_any_is_read(
    refuse: Callable[..., str], unread: None, own: bool, arguments: tuple[str, ...], message: str
) -> None:
    assert message in refuse(*(OWN[:5] if own else ("compare",)), *arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--backbone", "resnet5O"), "Unknown backbone `resnet5O`; did you mean"),
        (("--backbone", "digit"), "did you mean `digits`"),
        (("--select-by", "entropi"), "Unknown score `entropi`; did you mean `entropy`"),
        (("--select-by", "main_on_source"), "Unknown score `main_on_source`"),
    ],
)
def test_names_are_checked_before_images_are_read(
    refuse: Callable[..., str], unread: None, arguments: tuple[str, ...], message: str
) -> None:
    for problem in (OWN[1:5], ("mnist-usps",)):
        assert message in refuse("compare", *problem, *arguments)


@pytest.mark.parametrize(
    ("problem", "folder"),
    [
        (("--source", "@source", "--target", "@target"), "source-target"),
        (("--source", "@source", "--target", "@target", "--exam", "@others/../target"), "source-target"),
        (("--source", "@a/photos", "--target", "@b/photos"), "a_photos-b_photos"),
        (("--domains", "@source", "@target", "@others"), "source-target-others"),
        (("@problem.yaml",), "mine"),
        (("digits-photo",), "digits-photo"),
    ],
)
@pytest.mark.parametrize("command", ["compare", "fit"])
def test_a_default_output_folder_that_is_taken_is_told_before_any_data_is_read(
    isthmus_command: Command,
    folders: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    problem: tuple[str, ...],
    folder: str,
) -> None:
    for place in ("a", "b"):
        if not (folders / place).exists():
            write_classes(folders / place / "photos", seed=ord(place))
    (folders / "problem.yaml").write_text("source: source\ntarget: target\nname: mine\n")
    method = "isolated" if "--domains" in problem else "source_only"
    given = [folders / a[1:] if a.startswith("@") else a for a in problem]
    arguments = ["compare", *given, "--methods", method] if command == "compare" else ["fit", method, *given]

    def stopped(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("isthmus.engine.trainer.Trainer.run", stopped)
    assert isthmus_command(*arguments)[0] == 130
    place = Path("isthmus-out", folder) if command == "compare" else Path("isthmus-out/fit", folder, f"{method}-seed0")
    assert (place / "config.json").is_file()
    monkeypatch.setattr("isthmus.data.problems.Problem.__post_init__", lambda self: pytest.fail("data was read"))
    code, _, err = isthmus_command(*arguments)
    assert code == 2
    assert f"{place} holds an earlier run" in err


def test_pretrained_weights_out_of_reach_are_refused_with_the_way_out(
    refuse: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import timm.models._builder as builder

    def unreachable(*arguments: object, **options: object) -> None:
        raise OSError("no connection")

    monkeypatch.setattr(builder, "load_pretrained", unreachable)
    assert "`resnet18:pretrained=false`" in refuse(*OWN, "--backbone", "resnet18", "--image-size", "32")


def test_diverging_training_is_refused_with_the_way_out(isthmus_command: Command, folders: Path) -> None:
    arguments = [folders / a[1:] if a.startswith("@") else a for a in OWN]
    code, _, err = isthmus_command(*arguments, "--epochs", 1, "--lr", 1e30)
    assert code == 2
    assert "Use a smaller `--lr` (now 1e+30)" in err
    assert err.count("\n") == 1


def test_an_interrupt_is_no_failure(isthmus_command: Command, folders: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("isthmus.engine.trainer.Trainer.run", interrupted)
    arguments = [folders / a[1:] if a.startswith("@") else a for a in OWN]
    code, _, err = isthmus_command(*arguments)
    assert code == 130
    assert "`--resume`" in err


def real_process(folder: Path, *arguments: str, seconds: float) -> subprocess.CompletedProcess[str]:
    """The command run in a folder, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "isthmus", *arguments],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=seconds,
    )


@pytest.mark.parametrize("arguments", [("compare", "--source", "nowhere", "--target", "nowhere"), ("fit", "dannn")])
def test_a_real_process_says_the_same(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = real_process(tmp_path, *arguments, seconds=120)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("reader", ["true", "head -c 1 >/dev/null", "sleep 3"])
def test_a_reader_who_has_enough_is_no_mistake(tmp_path: Path, reader: str) -> None:
    """Whether he goes before all is written, or before what is left in the buffer."""
    command = f"{sys.executable} -m isthmus methods --json | {reader}; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert (done.stdout, done.stderr) == ("0\n", "")


def test_what_the_first_of_several_processes_refuses_is_said_once(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("precious")
    several = ("--devices", "2", "--strategy", "ddp", "--accelerator", "cpu")
    done = real_process(tmp_path, "fit", "source_only", "digits-photo", "--out", "out", *several, seconds=300)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("not an output folder of isthmus") == 1
    assert "Traceback" not in done.stderr
