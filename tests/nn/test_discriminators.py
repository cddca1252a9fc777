"""Discriminators of features against their layers written out."""

from __future__ import annotations

import pytest
import torch

from isthmus.nn.discriminators import DomainDiscriminator


@pytest.mark.parametrize("layers", [0, 1, 2, 3])
def test_rectified_hidden_layers_and_a_linear_logit(layers: int) -> None:
    torch.manual_seed(0)
    discriminator = DomainDiscriminator(6, hidden=5, layers=layers).double()
    x = features = torch.randn(16, 6, dtype=torch.float64)
    weights = list(discriminator.parameters())
    assert len(weights) == 2 * (layers + 1)
    for weight, bias in zip(weights[:-2:2], weights[1:-2:2]):
        x = (x @ weight.T + bias).clamp(min=0)
    torch.testing.assert_close(discriminator(features), x @ weights[-2][0] + weights[-1])
