"""Several labelled domains from the command line: training, models, and mistakes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from cli_folders import write_classes
from small_problems import Command

import isthmus


@pytest.fixture
def domains(tmp_path: Path) -> list[Path]:
    return [
        write_classes(tmp_path / "cats and dogs", ("chat noir", "chien")),
        write_classes(tmp_path / "seasons", ("été", "hiver", "chien"), seed=9),
    ]


def test_domains_are_trained_together_and_each_has_its_model(
    isthmus_command: Command, domains: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("isthmus.report.html.write_report", lambda folder: folder / "report.html")
    flags = ("--domains", *domains, "--epochs", 1, "--out", "out", "--json")
    code, out, err = isthmus_command("fit", "isolated", *flags)
    assert code == 0, err
    results = json.loads(out)
    assert list(results["runs"][0]["heads"]) == ["average", "cats and dogs", "seasons"]
    assert [domain["classes"] for domain in results["problem"]["domains"]] == [
        ["chat noir", "chien"],
        ["chien", "hiver", "été"],
    ]
    model = Path("out", "last", "seasons")
    code, out, err = isthmus_command("evaluate", model, "--exam", domains[1], "--json")
    assert code == 0, err
    assert [row["name"] for row in json.loads(out)["classes"]] == ["chien", "hiver", "été"]
    code, out, err = isthmus_command("predict", "out", domains[1] / "chien")
    assert code == 2
    assert "Give one of them: out/last/cats_and_dogs, out/last/seasons." in err


ARCHITECTURES = ("digits", "digits", "digits", "digits:hidden=60")


def test_domains_have_backbones_of_their_own(isthmus_command: Command) -> None:
    flags = ("--backbones", *ARCHITECTURES, "--epochs", 2, "--out", "out", "--json")
    code, out, err = isthmus_command("fit", "joint_irls:order=together", "digits-looks", *flags)
    assert code == 0, err
    assert json.loads(out)["problem"]["backbone"] == " ".join(ARCHITECTURES)
    findings = np.load(Path("out", "findings.npz"))
    assert findings["layers"].tolist() == ["backbone.layers.0", "backbone.layers.4"]
    heads = json.loads(out)["runs"][0]["heads"]
    for domain, width in (("plain", 100), ("photo", 60)):
        assert isthmus.load(Path("out", "last", domain)).network.head.in_features == width
        code, out, err = isthmus_command("evaluate", Path("out", "last", domain), "--json")
        assert code == 0, err
        assert json.loads(out)["accuracy"] == pytest.approx(heads[domain]["last"])
    code, _, err = isthmus_command("fit", "joint_irls:order=together", "digits-looks", *flags[5:], "--resume")
    assert code == 2
    assert "`problem.backbone` was" in err


def test_mistakes_with_backbones(isthmus_command: Command) -> None:
    for arguments, message in (
        (("share_all", "digits-looks", "--backbones", *ARCHITECTURES), "need one backbone for all domains, but got 2"),
        (("isolated", "digits-looks", "--backbones", "digits"), "in the order `plain`, `noisy`, `inverted`, `photo`"),
        (
            ("isolated", "digits-looks", "--backbones", *ARCHITECTURES, "--backbone", "svhn"),
            "`backbones`, but got both",
        ),
        (("dann", "digits-photo", "--backbones", "digits", "svhn"), "one backbone for problem `digits-photo`"),
    ):
        code, _, err = isthmus_command("fit", *arguments, "--out", "refused")
        assert code == 2
        assert message in " ".join(err.split())
        assert not Path("refused").exists()


def test_mistakes_with_domains(isthmus_command: Command, domains: list[Path]) -> None:
    for arguments, message in (
        (("isolated", "--domains", *domains, "--source", domains[0]), "but got `--domains` and `--source`"),
        (("dann", "--domains", *domains), "`--domains` makes a joint problem."),
        (("isolated", "--domains", domains[0]), "at least two domains, but got only"),
        (("isolated", "digits-looks", "--domains", *domains), "but got both (`digits-looks`)"),
        (("isolated", "digits-photo"), "`isolated` is for the joint setting"),
    ):
        code, _, err = isthmus_command("fit", *arguments)
        assert code == 2
        assert message in " ".join(err.split())
