"""Saved networks for pixel-wise tasks: safetensors beside a JSON description, as for classifiers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from isthmus.data.inputs import ImageInput, describe, from_description
from isthmus.data.pixelwise import Depth, Keypoints, PixelTask, Segmentation, SurfaceNormals
from isthmus.data.readers.arrays import samples_for
from isthmus.data.samples import Samples
from isthmus.evaluation.dense import dense_outputs, predicted
from isthmus.evaluation.export import Exported, PixelPredictions, write_onnx
from isthmus.evaluation.models import (
    SCHEMA,
    check_kinds,
    must_fit,
    read_model,
    without_weights,
    write_model,
)
from isthmus.nn.dense import DenseNetwork
from isthmus.nn.pyramids import build_pyramid

TASKS: dict[str, type[PixelTask]] = {task.name: task for task in (SurfaceNormals, Segmentation, Depth, Keypoints)}


@dataclass
class DenseModel:
    """A trained network for pixel-wise tasks with all that prediction needs.

    Attributes:
        network: inputs to maps and vectors.
        backbone: the name that the encoder was built by.
        tasks: what it predicts.
        input: how images become network inputs.
        trained_on: what the description says of its training; plain data.
    """

    network: DenseNetwork
    backbone: str
    tasks: tuple[PixelTask, ...]
    input: ImageInput
    trained_on: dict[str, Any]

    def predict(self, samples: Samples | Any) -> Iterator[dict[str, Tensor]]:
        """Of each sample in order, by task: unit normals, classes, depths, or points; at the images' resolution.

        Args:
            samples: stored as the model's input takes them, such as a problem's; or an array as `array_problem` takes.

        Raises:
            DataError: of another shape, or values that are no image's.
        """
        found = samples_for(self.input, samples, name="samples")
        for indices, dense in dense_outputs(self.network, found, self.input, title="Predicting"):
            maps = {task.name: predicted(task, dense, (self.input.size, self.input.size)) for task in self.tasks}
            for i in range(len(indices)):
                yield {name: values[i] for name, values in maps.items()}

    def save(self, folder: str | Path) -> None:
        """Write `model.safetensors` and `model.json` into `folder`.

        Raises:
            RunFolderError: no space or no permission.
        """
        description = {
            "schema": SCHEMA,
            "backbone": self.backbone,
            "tasks": _described(self.tasks),
            "input": describe(self.input),
            "trained_on": self.trained_on,
        }
        write_model(Path(folder), description, self.network)

    def export(self, file: str | Path) -> Exported:
        """Write one ONNX file that gives what `predict` gives, by task, for a batch of images as they are stored.

        Images are uint8, (batch, channels, height, width), of the side that the input's `resize` says. Needs the
        packages of `isthmus[onnx]`.

        Args:
            file: its path. An older file there is replaced.

        Raises:
            OptionError: the packages are missing.
            ModelFileError: the network is too large for the format, or has an operation that cannot be written in it.
            RunFolderError: no space or no permission.
        """
        graph = PixelPredictions(self.network, self.tasks, self.input)
        names = [task.name for task in self.tasks]
        return write_onnx(Path(file), graph, self.input, names, {"tasks": _described(self.tasks)})


def load_dense_model(folder: str | Path) -> DenseModel:
    """Read a model that `DenseModel.save` wrote.

    Raises:
        ModelFileError: a file is missing or damaged, of another version, or the weights do not fit the description.
    """
    folder = Path(folder)
    description, weights = read_model(folder)
    check_kinds(folder, description, {"backbone": str, "tasks": list, "input": dict, "trained_on": dict})
    with must_fit(folder):
        input = from_description(description["input"])
        if not isinstance(input, ImageInput):
            raise TypeError("its inputs are no images")
        tasks = tuple(_task(entry) for entry in description["tasks"])
        encoder = build_pyramid(without_weights(description["backbone"]), input.shape)
        network = DenseNetwork(encoder, tasks)
        network.load_state_dict(weights)
    return DenseModel(network.eval(), description["backbone"], tasks, input, description["trained_on"])


def _described(tasks: Sequence[PixelTask]) -> list[dict[str, Any]]:
    return [{"name": task.name, "fields": asdict(task)} for task in tasks]


def _task(entry: dict[str, Any]) -> PixelTask:
    fields = {key: tuple(value) if isinstance(value, list) else value for key, value in entry["fields"].items()}
    return TASKS[entry["name"]](**fields)
