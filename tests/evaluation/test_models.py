"""Models on disk: what is saved comes back, and nothing else is accepted."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import isthmus
from isthmus.data.inputs import ImageInput, Input, VectorInput, describe
from isthmus.data.samples import ArraySamples
from isthmus.data.tasks import Classification
from isthmus.errors import DataError, ModelFileError, RunFolderError
from isthmus.evaluation.models import Model, load_model
from isthmus.methods import build_method
from isthmus.methods.registry import method_entry
from isthmus.nn.backbones import build_backbone

CLASSES = ("chat noir", "été", "狗")
BACKBONES: dict[str, Input] = {
    "digits": ImageInput.plain(1, 16),
    "svhn:dropout=0.25": ImageInput.plain(3, 16),
    "signs": ImageInput(3, 16, 20),
    "mlp:hidden=12": VectorInput(5, (1.0, 2.0, 3.0, 4.0, 5.0), (0.5,) * 5),
    "resnet18:pretrained=false": ImageInput(3, 32, 36),
}


def samples_for(input: Input) -> ArraySamples:
    random = torch.Generator().manual_seed(0)
    if isinstance(input, VectorInput):
        return ArraySamples(torch.randn(6, input.features, generator=random))
    return ArraySamples(torch.randint(256, (6, *input.stored_shape), dtype=torch.uint8, generator=random))


def trained(method: str, backbone: str, input: Input) -> Model:
    """A model whose batch norms have seen something, so that their statistics must be saved too."""
    torch.manual_seed(0)
    outputs = {
        "unsupervised": (len(CLASSES),),
        "inductive": (Classification(("other", "classes")), Classification(CLASSES)),
        "joint": (Classification(CLASSES), Classification(("other", "classes"))),
    }[method_entry(method).setting]
    network = build_method(method, build_backbone(backbone, input.shape), *outputs).predictors()[0]
    network.train()
    with torch.no_grad():
        network(torch.rand(8, *input.shape) * 2)
    return Model(network.eval(), backbone, CLASSES, input, {"problem": {"name": "mine"}})


@pytest.mark.parametrize("backbone", ["digits", "signs", "mlp:hidden=12"])
def test_arrays_are_predicted_as_the_samples_they_are(backbone: str) -> None:
    input = BACKBONES[backbone]
    model, samples = trained("source_only", backbone, input), samples_for(input)
    array = samples.values.numpy()
    for given in (array, samples.values, array.tolist()):
        assert torch.equal(model.predict(given), model.predict(samples))


def test_images_of_any_size_are_predicted_and_what_is_stored_otherwise_is_refused() -> None:
    model, (large,) = (
        trained("source_only", "digits", BACKBONES["digits"]),
        torch.randint(256, (1, 4, 1, 40, 40)).byte(),
    )
    assert model.predict(large).shape == (4, 3)
    for given, message in (
        (ArraySamples(large), r"`samples`: expected samples of shape \(1, 16, 16\), but got \(1, 40, 40\)"),
        (torch.zeros(4, 5), r"`samples`: expected images"),
        (["a.png"], r"`samples`: expected an array of numbers"),
    ):
        with pytest.raises(DataError, match=message):
            model.predict(given)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "a model"
    trained("dann", "digits", BACKBONES["digits"]).save(folder)
    return folder


@pytest.mark.parametrize("backbone", BACKBONES)
def test_a_model_predicts_the_same_after_loading(tmp_path: Path, method_name: str, backbone: str) -> None:
    if method_entry(method_name).setting == "assisted":
        pytest.skip("saved in a form of its own: test_dense_models.py")
    input = BACKBONES[backbone]
    model, samples = trained(method_name, backbone, input), samples_for(input)
    model.save(tmp_path)
    loaded = isthmus.load(tmp_path)
    probabilities = loaded.predict(samples)
    assert torch.equal(probabilities, model.predict(samples))
    torch.testing.assert_close(probabilities.sum(dim=1), torch.ones(6))
    assert (loaded.backbone, loaded.classes, loaded.input) == (backbone, CLASSES, input)
    assert loaded.trained_on == {"problem": {"name": "mine"}}
    assert not loaded.network.training


def test_the_description_is_complete_and_nothing_is_pickled(saved: Path) -> None:
    assert {path.name for path in saved.iterdir()} == {"model.json", "model.safetensors"}
    assert json.loads((saved / "model.json").read_text()) == {
        "schema": 1,
        "backbone": "digits",
        "neck_in_backbone": False,
        "ensemble": False,
        "classes": list(CLASSES),
        "input": json.loads(json.dumps(describe(BACKBONES["digits"]))),
        "trained_on": {"problem": {"name": "mine"}},
    }
    header = (saved / "model.safetensors").read_bytes()
    size = int.from_bytes(header[:8], "little")
    assert all(key == "__metadata__" or "dtype" in value for key, value in json.loads(header[8 : 8 + size]).items())


def test_loading_never_asks_for_pretrained_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import timm.models._builder as builder

    model = trained("source_only", "resnet18:pretrained=false", BACKBONES["resnet18:pretrained=false"])
    model.backbone = "resnet18"  # as if it had been fine-tuned
    model.save(tmp_path)
    monkeypatch.setattr(builder, "load_pretrained", lambda *args, **kwargs: pytest.fail("asked for weights"))
    samples = samples_for(model.input)
    assert torch.equal(load_model(tmp_path).predict(samples), model.predict(samples))


TAMPERINGS: dict[str, Callable[[dict[str, Any]], object]] = {
    "schema": lambda d: d.update(schema=2),
    "no classes": lambda d: d.pop("classes"),
    "fewer classes": lambda d: d.update(classes=["a", "b"]),
    "classes are a text": lambda d: d.update(classes="abc"),
    "classes are numbers": lambda d: d.update(classes=[1, 2, 3]),
    "unknown backbone": lambda d: d.update(backbone="nonsense"),
    "other backbone": lambda d: d.update(backbone="signs"),
    "backbone of vectors": lambda d: d.update(backbone="mlp"),
    "backbone is a number": lambda d: d.update(backbone=3),
    "backbone with code": lambda d: d.update(backbone="digits:dropout=__import__('os').abort()"),
    "no neck": lambda d: d.pop("neck_in_backbone"),
    "other head": lambda d: d.update(ensemble=True),
    "other neck": lambda d: d.update(neck_in_backbone=True),
    "no input": lambda d: d.pop("input"),
    "input is a number": lambda d: d.update(input=3),
    "other size": lambda d: d["input"].update(size=32, resize=32),
    "impossible size": lambda d: d["input"].update(size=99),
    "size is a text": lambda d: d["input"].update(size="16"),
    "other channels": lambda d: d["input"].update(channels=3),
    "other kind": lambda d: d["input"].update(kind="sound"),
    "zero deviation": lambda d: d["input"].update(std=[0.0]),
    "no training": lambda d: d.update(trained_on=None),
}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_a_tampered_description_is_refused(saved: Path, tmp_path: Path, name: str) -> None:
    description = json.loads((saved / "model.json").read_text())
    TAMPERINGS[name](description)
    (tmp_path / "model.json").write_text(json.dumps(description))
    (tmp_path / "model.safetensors").write_bytes((saved / "model.safetensors").read_bytes())
    with pytest.raises(ModelFileError) as refusal:
        load_model(tmp_path)
    assert str(tmp_path) in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 600


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("model.json", b"{", "damaged"),
        ("model.json", b"\xff\xfe\x00", "damaged"),
        ("model.json", b"[]", "not a model description"),
        ("model.json", None, "is missing"),
        ("model.safetensors", None, "is missing"),
        ("model.safetensors", b"", "damaged"),
        ("model.safetensors", b"\x80\x04.", "damaged"),
    ],
)
def test_damaged_files_are_refused(saved: Path, tmp_path: Path, file: str, content: bytes | None, message: str) -> None:
    for path in saved.iterdir():
        if path.name != file:
            (tmp_path / path.name).write_bytes(path.read_bytes())
        elif content is not None:
            (tmp_path / path.name).write_bytes(content)
    with pytest.raises(ModelFileError, match=message):
        load_model(tmp_path)


def test_truncated_weights_are_refused(saved: Path, tmp_path: Path) -> None:
    trained("dann", "digits", BACKBONES["digits"]).save(tmp_path)
    weights = tmp_path / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(ModelFileError, match="damaged"):
        load_model(tmp_path)


def test_a_save_that_is_killed_leaves_the_old_model(
    saved: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in saved.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())

    def killed(weights: object, path: Path) -> None:
        path.write_bytes(b"half of it")
        raise KeyboardInterrupt

    monkeypatch.setattr("safetensors.torch.save_file", killed)
    with pytest.raises(KeyboardInterrupt):
        trained("mcd", "signs", BACKBONES["signs"]).save(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        path.name: path.read_bytes() for path in saved.iterdir()
    }


def test_an_unwritable_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFolderError, match="Could not write the model"):
        trained("dann", "digits", BACKBONES["digits"]).save(tmp_path / "file" / "model")
