"""The list of built-in problems."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from isthmus.data.benchmarks import data_root, download, entries, load_problem, setting_of
from isthmus.data.tasks import Setting
from isthmus.errors import DataError, OptionError

NAMES = [
    f"{entry.name}:{variant}" if variant else entry.name for entry in entries() for variant in entry.variants or ("",)
]


def test_listing_imports_nothing_heavy() -> None:
    code = (
        "import sys, isthmus.data.benchmarks as b; b.entries(); "
        "print([m for m in ('torch', 'numpy', 'PIL', 'scipy', 'sklearn', 'h5py') if m in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_names_are_distinct_and_described() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert all(entry.summary and entry.source for entry in entries())
    assert "office31:amazon-webcam" in NAMES
    assert "office-home:art-clipart" in NAMES
    assert "digits-photo" in NAMES
    assert "caltech101:22" in NAMES


@pytest.mark.parametrize(
    ("name", "setting"),
    [
        ("digits-photo", Setting.UNSUPERVISED),
        ("office31:amazon-webcam", Setting.UNSUPERVISED),
        ("digits-others", Setting.INDUCTIVE),
        ("notmnist-mnist:5", Setting.INDUCTIVE),
        ("fgvc-aircraft:boeing", Setting.INDUCTIVE),
        ("digits-looks", Setting.JOINT),
        ("shapes-shifted", Setting.ASSISTED),
    ],
)
def test_settings_are_known_without_data(name: str, setting: Setting) -> None:
    assert setting_of(name) is setting


def test_lists_say_what_follows_the_colon() -> None:
    patterns = {entry.name: (entry.pattern, entry.choices) for entry in entries()}
    assert patterns["digits-others"] == ("digits-others", ())
    assert patterns["office31"] == ("office31:SOURCE-TARGET", ("amazon", "dslr", "webcam"))
    assert patterns["notmnist-mnist"] == ("notmnist-mnist:LABELS", ("10", "5", "20", "50"))
    assert patterns["fgvc-aircraft"] == ("fgvc-aircraft:MANUFACTURER", ("boeing", "airbus"))


@pytest.mark.usefixtures("few_scenes")
@pytest.mark.parametrize("name", NAMES)
def test_every_problem_without_data_says_what_to_do(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise OSError("offline")

    monkeypatch.setattr(download, "urlopen", refuse)
    monkeypatch.setattr("urllib.request.urlopen", refuse)  # torchvision's
    if name.startswith(("digits-", "shapes")):  # need no files
        problem = load_problem(name, tmp_path)
        assert problem.name == name
        assert problem.setting is setting_of(name)
        return
    with pytest.raises(DataError, match=r"put it at `|lay it out as "):
        load_problem(name, tmp_path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mnist-upsp", r"Unknown problem `mnist-upsp`; did you mean `mnist-usps`"),
        ("office31", r"`office31` needs a variant, such as `office31:amazon-dslr`"),
        ("office31:amazon-webcm", r"Unknown variant of `office31` `amazon-webcm`; did you mean `amazon-webcam`"),
        ("mnist-usps:full", r"`mnist-usps` has no variants"),
    ],
)
def test_unknown_names(name: str, message: str) -> None:
    for call in (load_problem, setting_of):
        with pytest.raises(OptionError, match=message):
            call(name)  # type: ignore[operator]


def test_data_root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ISTHMUS_DATA", str(tmp_path))
    assert data_root(None) == tmp_path
    assert data_root(Path("~/data")) == Path.home() / "data"
    monkeypatch.delenv("ISTHMUS_DATA")
    assert data_root() == Path.home() / ".cache" / "isthmus"
