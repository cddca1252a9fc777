"""ONNX files give what `predict` gives."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from isthmus.data.inputs import ImageInput, Input, VectorInput, describe
from isthmus.data.pixelwise import Depth, Keypoints, PixelTask, Segmentation, SurfaceNormals
from isthmus.errors import ModelFileError, OptionError, RunFolderError
from isthmus.evaluation import export
from isthmus.evaluation.dense_models import DenseModel
from isthmus.evaluation.export import Exported, Value
from isthmus.evaluation.models import Model
from isthmus.methods import build_method
from isthmus.nn.backbones import Backbone, build_backbone
from isthmus.nn.classifiers import Classifier
from isthmus.nn.dense import DenseNetwork
from isthmus.nn.pyramids import Pyramid
from isthmus.version import __version__

CLASSES = ("chat noir", "été", "狗")
VECTORS = VectorInput(4, (1.0, 2.0, 3.0, 4.0), (0.5,) * 4)
TASKS: tuple[PixelTask, ...] = (SurfaceNormals(), Segmentation(("a", "b")), Depth(), Keypoints(("one", "two"), side=16))


class Small(Backbone):
    """A convolution and a batch norm, whose features depend on where in the image something is."""

    def __init__(self, channels: int, size: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(channels, 2, 3), nn.BatchNorm2d(2), nn.ReLU(), nn.Flatten())
        self.out_features = self.hidden_features = 2 * (size - 2) ** 2

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.layers(images)
        return features


class Undecided(Backbone):
    """What it computes depends on the values that it sees, which a graph cannot say."""

    out_features = hidden_features = 4

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, vectors: Tensor) -> Tensor:
        return vectors * self.scale if vectors.sum() > 0 else vectors


def trained(method: str, backbone: Backbone, input: Input) -> Model:
    """A model whose batch norms have seen something."""
    torch.manual_seed(0)
    network = build_method(method, backbone, len(CLASSES)).predictors()[0]
    with torch.no_grad():
        network(torch.rand(8, *input.shape) * 2)
    return Model(network, "small", CLASSES, input, {})


def stored(input: Input, number: int) -> Tensor:
    random = torch.Generator().manual_seed(number)
    if isinstance(input, VectorInput):
        return torch.randn(number, *input.stored_shape, generator=random) * 3
    return torch.randint(256, (number, *input.stored_shape), generator=random, dtype=torch.uint8)


def run(file: Path, samples: Tensor) -> dict[str, Tensor]:
    """What another program finds in the file, by the outputs' names."""
    session = onnxruntime.InferenceSession(file.read_bytes(), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    found = session.run(names, {session.get_inputs()[0].name: samples.numpy()})
    return {name: torch.from_numpy(np.asarray(values)) for name, values in zip(names, found)}


GREY, RGB = ImageInput.plain(1, 16), ImageInput(3, 6, 9)
MODELS: dict[str, tuple[str, Backbone, Input]] = {
    "vectors, an ensemble": ("mcd", build_backbone("mlp:hidden=6", (4,)), VECTORS),
    "grey images, a neck in the backbone": ("symnets", build_backbone("digits", GREY.shape), GREY),
    "a crop of colour images": ("source_only", Small(3, 6), RGB),
    "ten crops": ("source_only", Small(3, 6), replace(RGB, ten_crop=True)),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_file_gives_the_probabilities_of_stored_samples(tmp_path: Path, name: str) -> None:
    model = trained(*MODELS[name])
    model.export(tmp_path / "model.onnx")
    for number in (1, 5):
        samples = stored(model.input, number)
        probabilities = run(tmp_path / "model.onnx", samples)["probabilities"]
        torch.testing.assert_close(probabilities, model.predict(samples), atol=1e-5, rtol=0)
        assert (probabilities.std(dim=1) > 1e-3).all()


def test_a_file_gives_every_task_of_pixels(tmp_path: Path) -> None:
    input = ImageInput(3, 16, 18)
    torch.manual_seed(0)
    channels = (3, 8, 9, 10, 11)
    stages = [nn.Conv2d(before, after, 3, 2, padding=1) for before, after in zip(channels, channels[1:])]
    network = DenseNetwork(Pyramid(stages, channels[1:], 2, decoder=8), TASKS)
    network(torch.rand(8, *input.shape))
    model = DenseModel(network, "small", TASKS, input, {})
    exported = model.export(tmp_path / "model.onnx")
    assert exported.outputs == (
        Value("normals", "float32", ("batch", 3, 16, 16)),
        Value("segmentation", "int64", ("batch", 16, 16)),
        Value("depth", "float32", ("batch", 16, 16)),
        Value("keypoints", "float32", ("batch", 2, 3)),
    )
    for number in (1, 5):
        found = run(tmp_path / "model.onnx", stored(input, number))
        for place, expected in enumerate(model.predict(stored(input, number))):
            for task, values in expected.items():
                torch.testing.assert_close(found[task][place], values, atol=1e-5, rtol=1e-5)
    (described,) = [entry.value for entry in onnx.load(tmp_path / "model.onnx").metadata_props if entry.key == "tasks"]
    assert json.loads(described)[1] == {"name": "segmentation", "fields": {"classes": ["a", "b"]}}


@pytest.fixture(scope="module")
def vectors() -> Model:
    """A model in double precision, on a network in training mode."""
    model = trained("source_only", build_backbone("mlp:hidden=6", (4,)), VECTORS)
    model.network.double().train()
    return model


def test_a_file_says_what_it_is_and_nothing_of_this_machine(vectors: Model, tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    found = vectors.export(str(file))
    taken, given = Value("vectors", "float32", ("batch", 4)), Value("probabilities", "float32", ("batch", 3))
    assert found == Exported(file, taken, (given,))
    assert list(tmp_path.iterdir()) == [file]
    about = {entry.key: entry.value for entry in onnx.load(file).metadata_props}
    assert about.pop("isthmus_version") == __version__
    expected = {"classes": CLASSES, "input": describe(VECTORS)}
    assert about == {key: json.dumps(value) for key, value in expected.items()}
    assert os.fsencode(Path(export.__file__).parent.parent) not in file.read_bytes()


def test_the_network_stays_as_it_is_and_its_file_is_in_single_precision(vectors: Model, tmp_path: Path) -> None:
    vectors.export(tmp_path / "model.onnx")
    assert vectors.network.training
    assert all(weight.dtype == torch.float64 for weight in vectors.network.parameters())
    found = run(tmp_path / "model.onnx", stored(VECTORS, 5))["probabilities"]
    torch.testing.assert_close(found, vectors.predict(stored(VECTORS, 5)), atol=1e-5, rtol=0)


@pytest.mark.parametrize("package", ["onnx", "onnxscript"])
def test_missing_packages_are_named(
    vectors: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(OptionError, match=r"Run `pip install 'isthmus\[onnx\]'`\."):
        vectors.export(tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_network_that_no_graph_can_say_is_refused_in_one_line(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    model = Model(Classifier(Undecided(), nn.Linear(4, 3)), "", CLASSES, VECTORS, {})
    with pytest.raises(ModelFileError, match=r"cannot be written as ONNX: .*train another backbone") as refusal:
        model.export(tmp_path / "model.onnx")
    assert "\n" not in str(refusal.value)
    assert capfd.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []


def test_a_network_that_is_too_large_is_refused(
    vectors: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export, "LARGEST", 100)
    with pytest.raises(ModelFileError, match="which an ONNX file can hold, but the network has"):
        vectors.export(tmp_path / "model.onnx")


def test_a_file_that_could_not_be_written_leaves_the_old_one(
    vectors: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError("No space left on device")

    (tmp_path / "model.onnx").write_text("earlier")
    monkeypatch.setattr("os.fsync", full)
    monkeypatch.setattr(export, "_graph", lambda *arguments: onnx.ModelProto())
    with pytest.raises(RunFolderError, match=r"model.onnx: No space left on device\. Choose another place\."):
        vectors.export(tmp_path / "model.onnx")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("model.onnx", "earlier")]
