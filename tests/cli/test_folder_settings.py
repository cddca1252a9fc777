"""Class folders of one's own images decide the setting, and so the methods, before any image is read."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_folders import write_classes
from small_problems import Command


@pytest.mark.parametrize("classes", [("eiche", "rose"), ("chien", "chat noir", "été")])
def test_methods_are_checked_against_the_setting_of_the_folders(
    isthmus_command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, classes: tuple[str, ...]
) -> None:
    source, target = write_classes(tmp_path / "source"), write_classes(tmp_path / "target", classes, seed=10)
    inductive = "rose" in classes

    def problem(*arguments: object, **options: object) -> None:
        assert not inductive, "images were read"
        raise KeyboardInterrupt  # the methods were accepted

    monkeypatch.setattr("isthmus.data.readers.folders.folder_problem", problem)
    code, _, err = isthmus_command("fit", "dann", "--source", source, "--target", target)
    if not inductive:
        assert code == 130
        return
    assert code == 2
    assert err.count("\n") == 1
    assert "`dann` is for the unsupervised setting, but the problem is of the inductive setting." in err
    assert f"`{target}` has class folders of other names than the source's." in err
