"""What was computed once is not computed again, for the same inputs alone."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from isthmus.cache import cached


def test_the_same_inputs_are_computed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISTHMUS_CACHE", str(tmp_path))
    calls = []

    def half(tensor: torch.Tensor, name: str = "half") -> torch.Tensor:
        def compute() -> torch.Tensor:
            calls.append(name)
            return tensor / 2

        return cached(name, [tensor], compute)

    one, other = torch.arange(6.0).view(2, 3), torch.arange(6.0).view(3, 2)
    assert torch.equal(half(one), one / 2)
    assert torch.equal(half(one.clone()), one / 2)
    assert calls == ["half"]
    assert torch.equal(half(other), other / 2)  # the same numbers in another shape
    assert torch.equal(half(one.double()), one.double() / 2)
    half(one, "another")
    assert calls == ["half", "half", "half", "another"]
    monkeypatch.setattr("isthmus.cache.__version__", "another")
    half(one)
    assert calls == ["half", "half", "half", "another", "half"]


def test_a_damaged_or_forbidden_cache_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISTHMUS_CACHE", str(tmp_path))
    value = torch.ones(2)
    assert torch.equal(cached("kept", [value], lambda: value * 3), value * 3)
    (file,) = (tmp_path / "computed").iterdir()
    file.write_bytes(b"nonsense")
    assert torch.equal(cached("kept", [value], lambda: value * 3), value * 3)

    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("ISTHMUS_CACHE", str(tmp_path / "file"))
    assert torch.equal(cached("kept", [value], lambda: value * 3), value * 3)
