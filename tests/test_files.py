"""A file that is written beside its place is there whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from isthmus.files import replacing


def content(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_the_old_file_stays_until_the_new_one_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old")
    with replacing(path) as part:
        part.write_text("n")
        assert path.read_text() == "old"
        part.write_text("new")
    assert content(tmp_path) == {"file": "new"}


@pytest.mark.parametrize("error", [OSError, ValueError, KeyboardInterrupt])
def test_what_fails_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    def write() -> None:
        with replacing(path) as part:
            part.write_text("n")
            raise error

    with pytest.raises(error):
        write()
    assert content(tmp_path) == {"file": "old"}


def test_two_that_write_at_once_do_not_meet(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with replacing(path) as one, replacing(path) as other:
        one.write_text("one")
        other.write_text("other")
    assert content(tmp_path) == {"file": "one"}
