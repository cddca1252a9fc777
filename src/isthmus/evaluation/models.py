"""Saved models: safetensors beside a JSON description. Loading runs no code from the files."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from isthmus.data.inputs import Input, describe, from_description
from isthmus.data.readers.arrays import samples_for
from isthmus.data.samples import Samples
from isthmus.errors import IsthmusError, ModelFileError, RunFolderError
from isthmus.evaluation.export import Exported, Probabilities, write_onnx
from isthmus.evaluation.inference import RESULT, infer
from isthmus.files import replacing
from isthmus.names import Name, Predicted
from isthmus.nn.backbones import CONVOLUTIONAL, WithNeck, build_backbone
from isthmus.nn.classifiers import Classifier, Ensemble, classifier

SCHEMA = 1
DESCRIPTION, WEIGHTS = "model.json", "model.safetensors"
AGAIN = "Save or copy the model again."


@dataclass
class Model:
    """A trained classifier with all that prediction needs.

    Attributes:
        network: inputs to logits.
        backbone: the name that the backbone was built by.
        classes: names of the classes, in order of the logits.
        input: how images become network inputs.
        trained_on: what the description says of its training; plain data.
    """

    network: Classifier
    backbone: str
    classes: tuple[str, ...]
    input: Input
    trained_on: dict[str, Any]

    def predict(self, samples: Samples | Any) -> Tensor:
        """Class probabilities, (samples, classes), on the CPU; computed where the network is.

        Args:
            samples: stored as the model's input takes them, such as a problem's; or an array as `array_problem` takes.

        Raises:
            DataError: of another shape, or values that are no image's or not finite.
        """
        found = samples_for(self.input, samples, name="samples")
        return infer(self.network, found, self.input, title="Predicting")[RESULT].softmax(dim=1)

    def save(self, folder: str | Path) -> None:
        """Write `model.safetensors` and `model.json` into `folder`.

        Raises:
            RunFolderError: no space or no permission.
        """
        description = {
            "schema": SCHEMA,
            "backbone": self.backbone,
            "neck_in_backbone": isinstance(self.network.backbone, WithNeck),
            "ensemble": isinstance(self.network.head, Ensemble),
            "classes": list(self.classes),
            "input": describe(self.input),
            "trained_on": self.trained_on,
        }
        write_model(Path(folder), description, self.network)

    def export(self, file: str | Path) -> Exported:
        """Write one ONNX file that gives what `predict` gives, `probabilities`, for samples as they are stored.

        Images are uint8, (batch, channels, height, width), of the side that the input's `resize` says; vectors float32,
        (batch, features). Needs the packages of `isthmus[onnx]`.

        Args:
            file: its path. An older file there is replaced.

        Raises:
            OptionError: the packages are missing.
            ModelFileError: the network is too large for the format, or has an operation that cannot be written in it.
            RunFolderError: no space or no permission.
        """
        graph = Probabilities(self.network, self.input)
        return write_onnx(Path(file), graph, self.input, ["probabilities"], {"classes": self.classes})


def predicted_by(folder: Path) -> Predicted:
    """What the model in a folder predicts.

    Raises:
        ModelFileError: a file is missing, or the description is damaged or of another version.
    """
    description = read_description(folder)
    if "tasks" in description:
        return "pixels"
    return "images" if "image_task" in description else "classes"


def load_model(folder: str | Path) -> Model:
    """Read a model that `Model.save` wrote.

    Raises:
        ModelFileError: a file is missing or damaged, of another version, or the weights do not fit the description.
    """
    folder = Path(folder)
    description, weights = read_model(folder)
    if "tasks" in description:
        raise ModelFileError(f"{folder} holds a model for pixel-wise tasks. Read it with `isthmus.load_dense`.")
    if "image_task" in description:
        raise ModelFileError(f"{folder} holds a model that gives images. Read it with `isthmus.load_images`.")
    kinds = {
        "backbone": str,
        "neck_in_backbone": bool,
        "ensemble": bool,
        "classes": list,
        "input": dict,
        "trained_on": dict,
    }
    check_kinds(folder, description, kinds)
    if not all(isinstance(name, str) for name in description["classes"]):
        raise _incomplete(folder, ["classes"])
    classes = tuple(description["classes"])
    with must_fit(folder):
        input = from_description(description["input"])
        network = _network(description, input)
        network.load_state_dict(weights)
    return Model(network.eval(), description["backbone"], classes, input, description["trained_on"])


def write_model(folder: Path, description: dict[str, Any], network: nn.Module) -> None:
    """Write a network's weights and a description of it.

    Raises:
        RunFolderError: no space or no permission.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    weights = {name: value.contiguous() for name, value in network.state_dict().items()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(folder / DESCRIPTION) as described, replacing(folder / WEIGHTS) as stored:
            save_file(weights, stored)
            described.write_text(json.dumps(description, indent=2) + "\n")
    except (OSError, SafetensorError) as error:
        raise RunFolderError(f"Could not write the model into {folder}: {error}. Choose another folder.") from error


def read_description(folder: Path) -> dict[str, Any]:
    """The description that `write_model` wrote beside weights.

    Raises:
        ModelFileError: a file is missing, or the description is damaged or of another version.
    """
    for name in (DESCRIPTION, WEIGHTS):
        if not (folder / name).is_file():
            raise ModelFileError(
                f"Expected a model folder with {DESCRIPTION} and {WEIGHTS}, but {folder / name} is missing."
            )
    try:
        description = json.loads((folder / DESCRIPTION).read_text())
    except (ValueError, OSError) as error:
        raise _damaged(folder, error) from error
    if not isinstance(description, dict) or description.get("schema") != SCHEMA:
        raise ModelFileError(f"{folder / DESCRIPTION} is not a model description of schema {SCHEMA}.")
    return description


def read_model(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The description and the weights that `write_model` wrote.

    Raises:
        ModelFileError: a file is missing or damaged, or of another version.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    description = read_description(folder)
    try:
        return description, load_file(folder / WEIGHTS)
    except (ValueError, OSError, SafetensorError) as error:
        raise _damaged(folder, error) from error


@contextmanager
def must_fit(folder: Path) -> Iterator[None]:
    """What fails in here fails because the weights and the description in a folder do not fit each other.

    Raises:
        ModelFileError: instead of the error.
    """
    try:
        yield
    except (IsthmusError, RuntimeError, KeyError, TypeError) as error:
        reason = textwrap.shorten(str(error), 250, placeholder=" …").rstrip(".")
        raise ModelFileError(f"The weights and the description in {folder} do not fit: {reason}. {AGAIN}") from error


def check_kinds(folder: Path, description: dict[str, Any], kinds: dict[str, type]) -> None:
    """Refuse a description that lacks an entry, or holds another kind of value there.

    Raises:
        ModelFileError: with the names of all such entries.
    """
    if wrong := [name for name, kind in kinds.items() if not isinstance(description.get(name), kind)]:
        raise _incomplete(folder, wrong)


def _damaged(folder: Path, error: Exception) -> ModelFileError:
    return ModelFileError(f"The model in {folder} is damaged: {error}. {AGAIN}")


def _incomplete(folder: Path, wrong: list[str]) -> ModelFileError:
    found = ", ".join(f"`{name}`" for name in wrong)
    return ModelFileError(f"{folder / DESCRIPTION} is incomplete: {found} is missing or of another kind. {AGAIN}")


def _network(description: dict[str, Any], input: Input) -> Classifier:
    plain = build_backbone(without_weights(description["backbone"]), input.shape)
    backbone = WithNeck(plain) if description["neck_in_backbone"] else plain
    heads = [classifier(backbone, len(description["classes"])) for _ in range(1 + description["ensemble"])]
    return Classifier(backbone, Ensemble(*heads) if description["ensemble"] else heads[0])


def without_weights(name: str) -> str:
    """The backbone's name, its pretrained weights not asked for: the saved ones follow."""
    parsed = Name.parse(name)
    if parsed.base in (*CONVOLUTIONAL, "mlp", "pyramid"):
        return name
    return str(Name(parsed.base, {**parsed.options, "pretrained": "false"}))
