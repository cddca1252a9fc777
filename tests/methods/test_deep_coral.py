"""Deep CORAL's options."""

from __future__ import annotations

import pytest

from isthmus.errors import OptionError
from isthmus.methods import build_method
from isthmus.nn.backbones import MLPBackbone


@pytest.mark.parametrize("option", ["trade_off=-1", "layer=conv"])
def test_impossible_options_are_refused(option: str) -> None:
    with pytest.raises(OptionError, match=option.partition("=")[0]):
        build_method(f"deep_coral:{option}", MLPBackbone(4), 3)
