"""Trained networks as ONNX files, for programs that know neither this library nor PyTorch."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from copy import deepcopy
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from isthmus.data.inputs import ImageInput, Input, describe
from isthmus.data.pixelwise import PixelTask
from isthmus.errors import ModelFileError, OptionError, RunFolderError
from isthmus.evaluation.dense import predicted
from isthmus.evaluation.inference import together
from isthmus.files import replacing
from isthmus.nn.classifiers import Classifier
from isthmus.nn.dense import DenseNetwork
from isthmus.version import __version__

if TYPE_CHECKING:
    from onnx import ModelProto, ValueInfoProto

LARGEST = 2_000_000_000
"""Bytes of weights that a file takes: the format ends at 2 GiB."""


@dataclass(frozen=True)
class Value:
    """What an ONNX file takes or gives.

    Attributes:
        name: by which it is given or asked for.
        type: of its numbers, such as `uint8`.
        shape: its sizes; `batch` where any will do.
    """

    name: str
    type: str
    shape: tuple[int | str, ...]


@dataclass(frozen=True)
class Exported:
    """An ONNX file that was written.

    Attributes:
        file: where it is.
        input: stored samples.
        outputs: what is predicted.
    """

    file: Path
    input: Value
    outputs: tuple[Value, ...]


class Probabilities(nn.Module):
    """Stored samples to class probabilities, (batch, classes): what `Model.predict` gives."""

    def __init__(self, network: Classifier, input: Input) -> None:
        super().__init__()
        self.network = network
        self.input = input

    def forward(self, stored: Tensor) -> Tensor:
        views = self.input.views(stored)
        # One batch of all views, so that the graph holds the network's operations once.
        logits: Tensor = self.network(torch.cat(views))
        return together(logits.unflatten(0, (len(views), -1)).unbind()).softmax(dim=1)


class PixelPredictions(nn.Module):
    """Stored images to the prediction of each task in order: what `DenseModel.predict` gives."""

    def __init__(self, network: DenseNetwork, tasks: Sequence[PixelTask], input: ImageInput) -> None:
        super().__init__()
        self.network = network
        self.tasks = tasks
        self.input = input

    def forward(self, stored: Tensor) -> tuple[Tensor, ...]:
        dense = self.network(self.input.evaluate(stored))
        return tuple(predicted(task, dense, (self.input.size, self.input.size)) for task in self.tasks)


def write_onnx(
    path: Path, network: nn.Module, input: Input, outputs: Sequence[str], description: Mapping[str, Any]
) -> Exported:
    """Write a network as one ONNX file that takes batches of any size. The network itself stays as it is.

    Args:
        path: of the file.
        network: stored samples to a tensor, or to one for each output.
        input: how samples are stored; its description goes into the file.
        outputs: their names.
        description: plain data that goes into the file's metadata as JSON, by name.

    Raises:
        OptionError: the packages that write ONNX are missing.
        ModelFileError: the network is too large for the format, or has an operation that cannot be written in it.
        RunFolderError: no space or no permission.
    """
    name, dtype = ("images", torch.uint8) if isinstance(input, ImageInput) else ("vectors", torch.float32)
    graph = _graph(network, name, torch.zeros(2, *input.stored_shape, dtype=dtype), outputs)
    for node in graph.graph.node:
        node.ClearField("metadata_props")  # the lines of code that it comes from, with their paths on this machine
    for key, value in {**description, "input": describe(input)}.items():
        graph.metadata_props.add(key=key, value=json.dumps(value))
    graph.metadata_props.add(key="isthmus_version", value=__version__)
    try:
        with replacing(path) as part:
            part.write_bytes(graph.SerializeToString())
    except OSError as error:
        raise RunFolderError(f"Could not write the model to {path}: {error}. Choose another place.") from error
    (taken,) = graph.graph.input
    return Exported(path, _value(taken), tuple(_value(given) for given in graph.graph.output))


def _graph(network: nn.Module, name: str, samples: Tensor, outputs: Sequence[str]) -> ModelProto:
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise OptionError("ONNX files need packages more. Run `pip install 'isthmus[onnx]'`.") from error
    size = sum(value.numel() * value.element_size() for value in network.state_dict().values())
    if size > LARGEST:
        raise ModelFileError(
            f"Expected weights of at most {LARGEST / 1e9:.1f} GB, which an ONNX file can hold, but the network has "
            f"{size / 1e9:.1f} GB. Use `predict` instead."
        )
    try:
        # onnxscript may tell its rules, and torch, when it fails, all that it has traced.
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            program = torch.onnx.export(
                deepcopy(network).to("cpu", torch.float32).eval(),
                (samples,),
                input_names=[name],
                output_names=outputs,
                dynamic_shapes=({0: torch.export.Dim("batch")},),
                dynamo=True,
                verbose=False,
            )
    except torch.onnx.OnnxExporterError as error:
        reason = textwrap.shorten(str(error.__cause__ or error), 250, placeholder=" …").rstrip(".")
        raise ModelFileError(
            f"The network cannot be written as ONNX: {reason}. Use `predict` instead, or train another backbone."
        ) from error
    assert program is not None
    graph: ModelProto = program.model_proto
    return graph


def _value(info: ValueInfoProto) -> Value:
    from onnx.helper import tensor_dtype_to_np_dtype

    tensor = info.type.tensor_type
    shape = tuple(size.dim_param or size.dim_value for size in tensor.shape.dim)
    return Value(info.name, tensor_dtype_to_np_dtype(tensor.elem_type).name, shape)
