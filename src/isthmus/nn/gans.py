"""Generators and discriminators of images: DCGAN and BEGAN."""

from __future__ import annotations

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from isthmus.checks import at_least
from isthmus.errors import OptionError
from isthmus.nn.strided import HALVINGS, doubled, halved, sides

DEVIATION = 0.02
"""Of DCGAN's initial weights."""
KERNEL = 5
"""Of DCGAN's convolutions."""


class Generator(nn.Sequential):
    """Noise to images with values from -1 to 1, or nearly so.

    Args:
        layers: from noise (batch, latent) to images.
        latent: how many numbers an image is made of, uniform from -1 to 1.
    """

    def __init__(self, *layers: nn.Module, latent: int) -> None:
        super().__init__(*layers)
        self.latent = latent

    def noise(self, number: int, random: torch.Generator | None = None) -> Float[Tensor, "number latent"]:
        """What a number of images can be made of: by a generator of random numbers on the CPU, or by torch's own."""
        weight = next(self.parameters())
        device = weight.device if random is None else random.device
        drawn = torch.rand(number, self.latent, device=device, dtype=weight.dtype, generator=random)
        return (2 * drawn - 1).to(weight.device)


class BalancedAutoEncoder(nn.Sequential):
    """BEGAN's discriminator: images to images.

    Attributes:
        balance: k, how much it minds generated images.
    """

    balance: Tensor

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__(*layers)
        self.register_buffer("balance", torch.zeros(()))


class DCGAN(nn.Module):
    r"""A generator and a discriminator of five layers each.

    The generator: a linear layer to 8 w channels at a sixteenth of the side, then four transposed convolutions of
    stride 2 with 4 w, 2 w, w and the images' channels, batch norm and rectifiers between, tanh at the end. The
    discriminator: four convolutions of stride 2 with w to 8 w channels, batch norm but after the first, leaky
    rectifiers, and a linear layer to the logit of being generated. All 5×5; weights from $N(0, 0.02^2)$.

    Source: Radford et al., "Unsupervised representation learning with deep convolutional generative adversarial
    networks", ICLR 2016.

    Args:
        channels: of the images.
        size: their side, in pixels.
        width: w; the paper's is 64.
        latent: how many numbers an image is made of.

    Raises:
        OptionError: images too small to be halved four times, or an option below 1.
    """

    def __init__(self, channels: int, size: int, *, width: int = 64, latent: int = 100) -> None:
        super().__init__()
        at_least(1, width=width, latent=latent)
        found = sides(size, "dcgan")
        widths = [channels, *(width * 2**depth for depth in range(HALVINGS))]
        code = widths[-1], found[-1], found[-1]
        features = code[0] * code[1] * code[2]
        up: list[nn.Module] = [nn.Linear(latent, features, bias=False), nn.Unflatten(1, code)]
        up += [nn.BatchNorm2d(code[0]), nn.ReLU()]
        for depth in range(HALVINGS, 0, -1):
            end, norm = (nn.ReLU, True) if depth > 1 else (nn.Tanh, False)
            up += doubled(widths[depth], widths[depth - 1], KERNEL, found[depth], found[depth - 1], end, norm=norm)
        down = [
            layer
            for depth, (inputs, outputs) in enumerate(pairwise(widths))
            for layer in halved(inputs, outputs, KERNEL, _leaky, norm=depth > 0)
        ]
        self.generator = Generator(*up, latent=latent)
        self.discriminator = nn.Sequential(*down, nn.Flatten(), nn.Linear(features, 1), nn.Flatten(0))
        _normal(self)


class BEGAN(nn.Module):
    r"""A generator, and a discriminator that is an auto-encoder.

    Decoder and generator: a linear layer to n channels at a quarter of the side, then two 3×3 convolutions with ELU at
    each of three sizes, enlarged by nearest neighbours, and one to the images' channels. Encoder: a convolution to n
    channels, two at each of three sizes with n, 2 n and 3 n channels, each size but the last left by stride 2, and a
    linear layer. Nothing follows the linear layers.

    Source: Berthelot et al., "BEGAN: boundary equilibrium generative adversarial networks", 2017, section 3.5 and
    figure 1, for images of 32 pixels.

    Args:
        channels: of the images.
        size: their side, in pixels, a multiple of 4.
        width: n; the paper's is 128.
        latent: how many numbers an image is made of, and of the auto-encoder's code.

    Raises:
        OptionError: a size that is no multiple of 4, or an option below 1.
    """

    def __init__(self, channels: int, size: int, *, width: int = 128, latent: int = 64) -> None:
        super().__init__()
        at_least(1, width=width, latent=latent)
        if size % 4 or size < 8:
            raise OptionError(
                f"Network `began` needs images whose side is a multiple of 4, from 8 on, but got {size}×{size} pixels. "
                f"Use another size."
            )
        self.generator = Generator(*_decoder(channels, size // 4, width, latent), latent=latent)
        self.discriminator = BalancedAutoEncoder(
            *_encoder(channels, size // 4, width, latent), *_decoder(channels, size // 4, width, latent)
        )


def _leaky() -> nn.Module:
    return nn.LeakyReLU(0.2)


def _normal(network: nn.Module) -> None:
    for layer in network.modules():
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
            nn.init.normal_(layer.weight, 0.0, DEVIATION)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
        elif isinstance(layer, nn.BatchNorm2d):
            nn.init.normal_(layer.weight, 1.0, DEVIATION)


def _decoder(channels: int, side: int, width: int, latent: int) -> list[nn.Module]:
    layers: list[nn.Module] = [nn.Linear(latent, width * side * side), nn.Unflatten(1, (width, side, side))]
    for place in range(3):
        layers += [nn.Upsample(scale_factor=2)] * (place > 0)
        layers += [*_convolved(width, width), *_convolved(width, width)]
    return [*layers, nn.Conv2d(width, channels, 3, padding=1)]


def _encoder(channels: int, side: int, width: int, latent: int) -> list[nn.Module]:
    layers = _convolved(channels, width)
    for place in range(3):
        here, after = (place + 1) * width, (min(place + 1, 2) + 1) * width
        layers += [*_convolved(here, here), *_convolved(here, after, stride=1 + (place < 2))]
    return [*layers, nn.Flatten(), nn.Linear(3 * width * side * side, latent)]


def _convolved(inputs: int, outputs: int, stride: int = 1) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, 3, stride, padding=1), nn.ELU()]
