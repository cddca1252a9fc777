"""What tests of several built-in problems share."""

from __future__ import annotations

from typing import Any

import pytest
from torch import Tensor

from isthmus.data.benchmarks.digits_photo import RenderedDigits


@pytest.fixture
def drawn_digits(monkeypatch: pytest.MonkeyPatch) -> list[Tensor]:
    """The digits of every `RenderedDigits` from here on, also of those that are read once and thrown away."""
    drawn: list[Tensor] = []
    begin = RenderedDigits.__init__

    def recorded(self: RenderedDigits, digits: Tensor, *arguments: Any, **options: Any) -> None:
        drawn.append(digits)
        begin(self, digits, *arguments, **options)

    monkeypatch.setattr(RenderedDigits, "__init__", recorded)
    return drawn
