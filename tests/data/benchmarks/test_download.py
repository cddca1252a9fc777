"""Downloads from a server of our own, whole and broken."""

from __future__ import annotations

import functools
import hashlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from isthmus.data.benchmarks import download
from isthmus.data.benchmarks.download import RemoteFile, fetch
from isthmus.errors import DataError

CONTENT = bytes(range(256)) * 4000
MD5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()


class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        """Keep the test's output clean."""


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "data.bin").write_bytes(CONTENT)
    handler = functools.partial(Handler, directory=str(tmp_path / "served"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/data.bin"
        server.shutdown()


def test_download_is_whole_and_done_once(address: str, tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "root"
    path = fetch(RemoteFile(address, MD5), folder)
    assert path == folder / "data.bin"
    assert path.read_bytes() == CONTENT
    assert [child.name for child in folder.iterdir()] == ["data.bin"]
    path.write_bytes(b"mine")
    assert fetch(RemoteFile(address, MD5), folder).read_bytes() == b"mine"


def test_file_address(tmp_path: Path) -> None:
    (tmp_path / "data.bin").write_bytes(CONTENT)
    file = RemoteFile((tmp_path / "data.bin").as_uri(), MD5)
    assert fetch(file, tmp_path / "root").read_bytes() == CONTENT


def test_wrong_checksum_leaves_nothing(address: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"MD5 checksum 0+, but got {MD5}.*put the right file at `.*data\.bin`"):
        fetch(RemoteFile(address, "0" * 32), tmp_path / "root")
    assert not list((tmp_path / "root").iterdir())


def test_interrupted_download_leaves_nothing(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def __init__(self, answer: object) -> None:
            self.answer = answer
            self.headers = answer.headers  # type: ignore[attr-defined]

        def __enter__(self) -> Broken:
            return self

        def __exit__(self, *error: object) -> None:
            self.answer.read()  # type: ignore[attr-defined]

        def read(self, size: int) -> bytes:
            raise ConnectionResetError("connection reset by peer")

    real = download.urlopen
    monkeypatch.setattr(download, "urlopen", lambda url, timeout: Broken(real(url, timeout=timeout)))
    with pytest.raises(DataError, match="connection reset by peer"):
        fetch(RemoteFile(address, MD5), tmp_path / "root")
    assert not list((tmp_path / "root").iterdir())


@pytest.mark.parametrize("name", ["missing.bin", "refused"])
def test_no_file_or_no_server_says_where_to_put_it(address: str, tmp_path: Path, name: str) -> None:
    url = address.replace("data.bin", name) if name == "missing.bin" else "http://127.0.0.1:9/refused"
    with pytest.raises(DataError, match=rf"Could not download `{url}`.*download it elsewhere and put it at `.*{name}`"):
        fetch(RemoteFile(url, MD5), tmp_path / "root")


def test_data_root_that_cannot_be_made(address: str, tmp_path: Path) -> None:
    (tmp_path / "root").touch()
    with pytest.raises(DataError, match="--data-root"):
        fetch(RemoteFile(address, MD5), tmp_path / "root" / "mnist")
