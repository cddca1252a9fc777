"""A model leaves for another program."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from cli_folders import CLASSES, write_images
from PIL import Image
from small_problems import Command

from isthmus.cli.output import show_exported
from isthmus.data.inputs import ImageInput
from isthmus.evaluation.export import Exported, Value
from isthmus.evaluation.models import Model
from isthmus.methods import build_method
from isthmus.nn.backbones import build_backbone


def test_a_file_says_of_images_what_predict_does(isthmus_command: Command, tmp_path: Path) -> None:
    torch.manual_seed(0)
    input = ImageInput(1, 16, 20, (0.4,), (0.2,))
    network = build_method("source_only", build_backbone("digits", input.shape), len(CLASSES)).predictors()[0]
    Model(network.eval(), "digits", CLASSES, input, {}).save(tmp_path / "run" / "last")
    write_images(tmp_path / "new images", 3, bright=6)
    code, out, err = isthmus_command("export", tmp_path / "run", "a model.onnx", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out) == {
        "file": "a model.onnx",
        "input": {"name": "images", "type": "uint8", "shape": ["batch", 1, 20, 20]},
        "outputs": [{"name": "probabilities", "type": "float32", "shape": ["batch", 3]}],
    }
    rows = json.loads(isthmus_command("predict", tmp_path / "run", tmp_path / "new images", "--json")[1])
    pictures = [Image.open(row["image"]).convert("L").resize((20, 20), Image.Resampling.BILINEAR) for row in rows]
    session = onnxruntime.InferenceSession("a model.onnx", providers=["CPUExecutionProvider"])
    (found,) = session.run(["probabilities"], {"images": np.stack(pictures)[:, None]})
    assert [CLASSES[row.argmax()] for row in found] == [row["class"] for row in rows]
    assert np.allclose(found.max(axis=1), [row["probability"] for row in rows], atol=1e-4)


def test_what_a_file_takes_and_gives_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    outputs = (Value("normals", "float32", ("batch", 3, 8, 8)), Value("depth", "float32", ("batch", 8, 8)))
    show_exported(Exported(Path("rooms.onnx"), Value("images", "uint8", ("batch", 3, 9, 9)), outputs), json=False)
    assert capsys.readouterr().out == (
        "Written: rooms.onnx\n"
        "From images uint8 (batch, 3, 9, 9) to normals float32 (batch, 3, 8, 8), depth float32 (batch, 8, 8)\n"
    )
