"""Saved networks that complete or generate images: safetensors beside a JSON description, as for classifiers."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from isthmus.data.inputs import ImageInput, describe, from_description
from isthmus.data.tasks import Completion, Generation, ImageTask
from isthmus.errors import OptionError
from isthmus.evaluation.generation import generated
from isthmus.evaluation.models import SCHEMA, check_kinds, must_fit, read_model, write_model
from isthmus.nn.autoencoder import AutoEncoder
from isthmus.nn.gans import Generator
from isthmus.nn.image_networks import build_image_network

TASKS: dict[str, type[ImageTask]] = {"completion": Completion, "generation": Generation}


@dataclass
class ImageModel:
    """A trained network that completes or generates images, with all that this needs.

    Attributes:
        network: images with a hole to whole ones, or noise to images.
        backbone: the name that the domain's networks were built by.
        task: what it was trained for.
        input: how images become network inputs.
        trained_on: what the description says of its training; plain data.
    """

    network: AutoEncoder | Generator
    backbone: str
    task: ImageTask
    input: ImageInput
    trained_on: dict[str, Any]

    @torch.no_grad()
    def complete(self, images: Tensor) -> Tensor:
        """Whole images, (batch, channels, size, size), of images with a hole of zeros; values from -1 to 1.

        Raises:
            OptionError: it generates.
        """
        if not isinstance(self.network, AutoEncoder):
            raise OptionError("Expected a model that completes images, but this one generates them. Use `generate`.")
        return self.network.eval()(images)  # type: ignore[no-any-return]

    def generate(self, number: int, seed: int = 0) -> Tensor:
        """So many new images, (number, channels, size, size), with values from -1 to 1; the same for the same seed.

        Raises:
            OptionError: it completes.
        """
        if not isinstance(self.network, Generator):
            raise OptionError("Expected a model that generates images, but this one completes them. Use `complete`.")
        return generated(self.network, number, seed=seed)

    def save(self, folder: str | Path) -> None:
        """Write `model.safetensors` and `model.json` into `folder`.

        Raises:
            RunFolderError: no space or no permission.
        """
        description = {
            "schema": SCHEMA,
            "backbone": self.backbone,
            "image_task": {"name": type(self.task).__name__.lower(), "fields": asdict(self.task)},
            "input": describe(self.input),
            "trained_on": self.trained_on,
        }
        write_model(Path(folder), description, self.network)


def load_image_model(folder: str | Path) -> ImageModel:
    """Read a model that `ImageModel.save` wrote.

    Raises:
        ModelFileError: a file is missing or damaged, of another version, or the weights do not fit the description.
    """
    folder = Path(folder)
    description, weights = read_model(folder)
    check_kinds(folder, description, {"backbone": str, "image_task": dict, "input": dict, "trained_on": dict})
    with must_fit(folder):
        input = from_description(description["input"])
        if not isinstance(input, ImageInput):
            raise TypeError("its inputs are no images")
        task = TASKS[description["image_task"]["name"]](**description["image_task"]["fields"])
        networks = build_image_network(description["backbone"], input.shape)
        network = networks if isinstance(networks, AutoEncoder) else networks.generator
        network.load_state_dict(weights)
    return ImageModel(network.eval(), description["backbone"], task, input, description["trained_on"])
