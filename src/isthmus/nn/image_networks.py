"""Networks that give images, by name: what a problem of completion or generation names as its backbone."""

from __future__ import annotations

from collections.abc import Callable

from isthmus.errors import OptionError
from isthmus.names import Name, build, unknown
from isthmus.nn.autoencoder import AutoEncoder
from isthmus.nn.gans import BEGAN, DCGAN

ImageNetwork = AutoEncoder | DCGAN | BEGAN
NETWORKS: dict[str, Callable[..., ImageNetwork]] = {"autoencoder": AutoEncoder, "dcgan": DCGAN, "began": BEGAN}


def build_image_network(name: str, shape: tuple[int, ...]) -> ImageNetwork:
    """The network called `name` for images of `shape`, (channels, height, width).

    `name` is `autoencoder`, for completion, or `dcgan` or `began`, for generation, with options after a colon
    (`dcgan:width=16`).

    Raises:
        OptionError: an unknown name or option, or images that do not fit.
    """
    parsed = Name.parse(name)
    if parsed.base not in NETWORKS:
        raise unknown("network of images", parsed.base, NETWORKS, f"There are: {', '.join(NETWORKS)}.")
    if len(shape) != 3:
        raise OptionError(f"Network `{parsed.base}` is for images, but got inputs of shape {shape}.")
    return build(NETWORKS[parsed.base], parsed, shape[0], shape[1])
