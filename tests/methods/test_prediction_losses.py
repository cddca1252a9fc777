"""The options of MCC and BNM."""

from __future__ import annotations

import pytest

from isthmus.errors import OptionError
from isthmus.methods import build_method
from isthmus.nn.backbones import MLPBackbone


@pytest.mark.parametrize("name", ["mcc:temperature=0", "mcc:trade_off=-1", "bnm:trade_off=-1"])
def test_impossible_options_are_refused(name: str) -> None:
    with pytest.raises(OptionError, match=r"`(temperature|trade_off)`"):
        build_method(name, MLPBackbone(8), 2)
