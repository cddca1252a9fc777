"""Measuring a model that was trained elsewhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import isthmus
from isthmus.errors import DataError
from isthmus.experiments.evaluation import evaluate_model


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A problem file of two domains of images, of each of which a quarter is held out."""
    for place, folder in enumerate(("a/ill", "a/well", "b/ill", "b/well")):
        (tmp_path / folder).mkdir(parents=True)
        for number in range(5):
            picture(tmp_path / folder / f"{number}.png", seed=10 * place + number)
    (tmp_path / "wards.yaml").write_text("domains: [a, b]\nrecipe: {epochs: 2}\n")
    return tmp_path / "wards.yaml"


def picture(path: Path, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (16, 16), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def test_images_that_were_held_out_are_measured_only_as_long_as_they_are_the_same(file: Path, tmp_path: Path) -> None:
    run = isthmus.fit("isolated", file, out=tmp_path / "run")
    model = run.folder / "last" / "a"
    held_out = evaluate_model(model, str(file))
    assert held_out["accuracy"] == run.result["heads"]["a"]["last"]
    picture(tmp_path / "a" / "ill" / "new.png", seed=99)
    with pytest.raises(DataError, match=r"held out when the model was trained, but they have changed.*`--exam DIR`"):
        evaluate_model(model, str(file))
    assert evaluate_model(model, exam=tmp_path / "b")["samples"] == 10
