"""Networks that give images: shapes at every size, the papers' layers, and what does not fit."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from isthmus.errors import OptionError
from isthmus.nn.autoencoder import AutoEncoder
from isthmus.nn.gans import BEGAN, DCGAN
from isthmus.nn.image_networks import build_image_network


def layers(network: nn.Module) -> list[tuple[int, ...]]:
    """Inputs and outputs of every convolution and linear layer, in order."""
    found = []
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            found.append((module.in_channels, module.out_channels, *module.kernel_size, *module.stride))
        elif isinstance(module, nn.Linear):
            found.append((module.in_features, module.out_features))
    return found


@pytest.mark.parametrize("size", [9, 16, 20, 28, 32, 33, 64])
@pytest.mark.parametrize("channels", [1, 3])
def test_images_keep_their_size(size: int, channels: int) -> None:
    images = torch.rand(2, channels, size, size)
    assert AutoEncoder(channels, size, width=2)(images).shape == images.shape
    dcgan = DCGAN(channels, size, width=2)
    assert dcgan.generator(dcgan.generator.noise(2)).shape == images.shape
    assert dcgan.discriminator(images).shape == (2,)
    if size % 4 == 0:
        began = BEGAN(channels, size, width=2, latent=3)
        assert began.generator(began.generator.noise(2)).shape == images.shape
        assert began.discriminator(images).shape == images.shape


def test_dcgan_has_the_papers_layers() -> None:
    network = DCGAN(3, 64)
    sizes = [512, 256, 128, 64, 3]
    expected = [(100, 512 * 4 * 4), *((i, o, 5, 5, 2, 2) for i, o in zip(sizes, sizes[1:]))]
    assert layers(network.generator) == expected
    down = [*((o, i, 5, 5, 2, 2) for i, o in zip(sizes[::-1][1:], sizes[::-1]))]
    assert layers(network.discriminator) == [*down, (512 * 4 * 4, 1)]
    weights = torch.cat([m.weight.flatten() for m in network.modules() if isinstance(m, (nn.Conv2d, nn.Linear))])
    assert weights.std().item() == pytest.approx(0.02, rel=0.01)
    assert sum(isinstance(m, nn.BatchNorm2d) for m in network.generator.modules()) == 4
    assert sum(isinstance(m, nn.BatchNorm2d) for m in network.discriminator.modules()) == 3
    noise = network.generator.noise(1000)
    assert (noise.min() < -0.99, noise.max() > 0.99, noise.abs().max() <= 1) == (True, True, True)


def test_the_autoencoder_has_nine_layers() -> None:
    found = layers(AutoEncoder(3, 32))
    assert [layer[:2] for layer in found] == [
        (3, 32), (32, 64), (64, 128), (128, 256), (256, 256), (256, 128), (128, 64), (64, 32), (32, 3)
    ]  # fmt: skip


def test_began_has_the_papers_layers() -> None:
    network = BEGAN(3, 32)
    n, decoder = 128, [(64, 128 * 8 * 8), *[(128, 128, 3, 3, 1, 1)] * 6, (128, 3, 3, 3, 1, 1)]
    assert layers(network.generator) == decoder
    encoder = [(3, n, 3, 3, 1, 1), (n, n, 3, 3, 1, 1), (n, 2 * n, 3, 3, 2, 2), (2 * n, 2 * n, 3, 3, 1, 1)]
    encoder += [(2 * n, 3 * n, 3, 3, 2, 2), *[(3 * n, 3 * n, 3, 3, 1, 1)] * 2, (3 * n * 8 * 8, 64)]
    assert layers(network.discriminator) == encoder + decoder


def test_networks_by_name() -> None:
    assert isinstance(build_image_network("autoencoder:width=4", (1, 28, 28)), AutoEncoder)
    dcgan = build_image_network("dcgan:width=4,latent=7", (1, 28, 28))
    assert isinstance(dcgan, DCGAN)
    assert dcgan.generator.latent == 7


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("dcgann", (1, 28, 28), "did you mean `dcgan`"),
        ("digits", (1, 28, 28), "There are: autoencoder, dcgan, began"),
        ("dcgan:depth=3", (1, 28, 28), "no option `depth`"),
        ("dcgan:width=0", (1, 28, 28), "`width` of at least 1"),
        ("autoencoder", (1, 8, 8), "at least 9×9 pixels, but got 8×8"),
        ("began", (1, 30, 30), "multiple of 4, from 8 on, but got 30×30"),
        ("dcgan", (12,), "is for images, but got inputs of shape"),
    ],
)
def test_what_does_not_fit_is_refused(name: str, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        build_image_network(name, shape)


def kinds(network: nn.Module) -> list[str]:
    """The type of every layer, in order, and a leaky rectifier's slope."""
    leaves = [layer for layer in network.modules() if not list(layer.children())]
    return [f"{type(x).__name__}{x.negative_slope if isinstance(x, nn.LeakyReLU) else ''}" for x in leaves]


def test_dcgan_has_the_papers_activations() -> None:
    """Batch norm and rectifiers between, tanh at the end; leaky rectifiers, and no batch norm after the first layer."""
    network = DCGAN(3, 32, width=2)
    up = ["BatchNorm2d", "ReLU", "ConvTranspose2d"]
    assert kinds(network.generator) == ["Linear", "Unflatten", *up * 4, "Tanh"]
    down = ["Conv2d", "BatchNorm2d", "LeakyReLU0.2"]
    assert kinds(network.discriminator) == ["Conv2d", "LeakyReLU0.2", *down * 3, "Flatten", "Linear", "Flatten"]


def test_dcgans_batch_norms_begin_around_one() -> None:
    torch.manual_seed(0)
    norms = [layer for layer in DCGAN(3, 32, width=16).modules() if isinstance(layer, nn.BatchNorm2d)]
    scales = torch.cat([layer.weight.detach() for layer in norms])
    assert scales.mean().item() == pytest.approx(1, abs=0.005)
    assert scales.std().item() == pytest.approx(0.02, rel=0.2)
    assert not any(layer.bias.any() for layer in norms)


def test_began_has_exponential_units_after_each_convolution_but_the_last() -> None:
    network = BEGAN(3, 8, width=2, latent=3)
    pair = ["Conv2d", "ELU"] * 2
    decoder = ["Linear", "Unflatten", *pair, "Upsample", *pair, "Upsample", *pair, "Conv2d"]
    assert kinds(network.generator) == decoder
    assert kinds(network.discriminator) == ["Conv2d", "ELU", *pair * 3, "Flatten", "Linear", *decoder]


def test_the_autoencoder_rectifies_between_and_ends_in_tanh() -> None:
    normed = ["BatchNorm2d", "ReLU"]
    convolved, transposed = ["Conv2d", *normed], ["ConvTranspose2d", *normed]
    assert kinds(AutoEncoder(3, 32, width=2)) == [*convolved * 5, *transposed * 3, "ConvTranspose2d", "Tanh"]
