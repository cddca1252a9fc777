"""JAN's options."""

from __future__ import annotations

import pytest

from isthmus.errors import OptionError
from isthmus.methods import build_method
from isthmus.nn.backbones import MLPBackbone


@pytest.mark.parametrize("option", ["trade_off=-1", "gamma=0", "kernels=0", "prediction_bandwidth=0", "estimate=exact"])
def test_impossible_options_are_refused(option: str) -> None:
    with pytest.raises(OptionError, match=option.partition("=")[0]):
        build_method(f"jan:{option}", MLPBackbone(4), 3)
