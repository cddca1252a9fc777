"""Discriminators of maps, and noise that is there in training only."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import conv2d

from isthmus.errors import OptionError
from isthmus.nn.patch_discriminators import GaussianNoise, OutputDiscriminator, PatchDiscriminator


def test_a_logit_a_place_and_a_logit_a_patch() -> None:
    assert PatchDiscriminator(5, hidden=4, noise=0.1)(torch.rand(2, 5, 3, 4)).shape == (2, 1, 3, 4)
    assert OutputDiscriminator(5, width=2)(torch.rand(2, 5, 32, 32)).shape == (2, 1, 1, 1)
    assert OutputDiscriminator(5, width=2)(torch.rand(2, 5, 128, 64)).shape == (2, 1, 4, 2)


def test_the_output_discriminator_is_the_papers() -> None:
    """Five 4×4 convolutions, of 64, 128, 256, 512 and 1 channels."""
    sizes = [64 * 3 * 16, 64, 128 * 64 * 16, 128, 256 * 128 * 16, 256, 512 * 256 * 16, 512, 512 * 16, 1]
    assert sum(p.numel() for p in OutputDiscriminator(3).parameters()) == sum(sizes)


def test_a_patch_sees_its_neighbours_and_no_further() -> None:
    discriminator = PatchDiscriminator(2, hidden=4, noise=0.0)
    maps = torch.rand(1, 2, 7, 7)
    other = maps.clone()
    other[:, :, 3, 3] += 1
    changed = (discriminator(maps) != discriminator(other))[0, 0].nonzero()
    assert changed.min() == 2
    assert changed.max() == 4


def test_noise_has_the_deviation_asked_for_and_evaluation_has_none() -> None:
    torch.manual_seed(0)
    noise, x = GaussianNoise(0.3), torch.zeros(100_000)
    assert noise(x).std().item() == pytest.approx(0.3, rel=0.02)
    assert torch.equal(noise.eval()(x), x)
    with pytest.raises(OptionError, match="`noise` of at least 0"):
        GaussianNoise(-0.1)


def test_a_leaky_rectifier_follows_every_layer_but_the_last() -> None:
    """Slope 0.2 below zero, as the paper's: against the convolutions by hand."""
    torch.manual_seed(0)
    patches, outputs = PatchDiscriminator(3, hidden=4, noise=0.0), OutputDiscriminator(3, width=2)
    for discriminator, stride, paddings in ((patches, 1, [1, 0]), (outputs, 2, [1] * 5)):
        x = maps = torch.randn(2, 3, 32, 32)
        weights = list(discriminator.parameters())
        for weight, bias, padding in zip(weights[::2], weights[1::2], paddings, strict=True):
            x = conv2d(x if x is maps else torch.where(x > 0, x, 0.2 * x), weight, bias, stride, padding)
        torch.testing.assert_close(discriminator(maps), x)
