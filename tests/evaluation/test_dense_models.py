"""Networks for pixel-wise tasks, measured and saved."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from small_problems import pixels_problem
from torch import Tensor, nn

import isthmus
from isthmus.data.inputs import ImageInput
from isthmus.data.pixelwise import Depth, Keypoints, PixelLabels, PixelTask, Segmentation, SurfaceNormals
from isthmus.data.samples import ArraySamples
from isthmus.errors import ModelFileError
from isthmus.evaluation.dense import label_free_scores, measure
from isthmus.evaluation.dense_models import DenseModel
from isthmus.evaluation.dense_views import DenseViews
from isthmus.nn.dense import Dense, DenseNetwork
from isthmus.nn.pyramids import build_pyramid

BACKBONE = "pyramid:width=8,decoder=8"
INPUT = ImageInput.plain(3, 32)
TASKS: tuple[PixelTask, ...] = (
    SurfaceNormals(),
    Segmentation(("a", "b")),
    Depth(),
    Keypoints(("one", "two"), side=32),
)


def network(tasks: tuple[PixelTask, ...] = TASKS) -> DenseNetwork:
    torch.manual_seed(0)
    return DenseNetwork(build_pyramid(BACKBONE, INPUT.shape), tasks)


def images(number: int = 4) -> ArraySamples:
    random = torch.Generator().manual_seed(0)
    return ArraySamples(torch.randint(256, (number, 3, 32, 32), dtype=torch.uint8, generator=random))


class Says(nn.Module):
    """A network that gives the same for every image."""

    def __init__(self, maps: dict[str, Tensor], vectors: dict[str, Tensor]) -> None:
        super().__init__()
        self.known, self.vectors = maps, vectors
        self.maps = dict.fromkeys(maps)
        self.weight = nn.Parameter(torch.zeros(1))

    def forward(self, images: Tensor) -> Dense:
        n = len(images)
        maps = {name: value.expand(n, -1, -1, -1) for name, value in self.known.items()}
        return Dense(maps, {name: value.expand(n, -1) for name, value in self.vectors.items()}, {})


def test_metrics_are_those_of_the_known_angles_classes_depths_and_points() -> None:
    """Half of the labelled pixels are off by 60°, the others right; a quarter of all has no label."""
    right, off = torch.tensor([0.0, 0.0, -1.0]), torch.tensor([math.sin(math.pi / 3), 0.0, -0.5])
    normals = right.view(1, 3, 1, 1).repeat(4, 1, 32, 32)
    normals[:, :, 8:20] = off.view(1, 3, 1, 1)
    normals[:, :, 24:] = torch.nan
    normals[:, :, :8], normals[:, :, 20:24] = right.view(3, 1, 1), right.view(3, 1, 1)
    classes = torch.zeros(4, 32, 32, dtype=torch.long)
    classes[:, :, 16:] = 1
    depth = torch.full((4, 32, 32), 2.0)
    points = torch.tensor([[[8.0, 8.0, 4.0], [20.0, 12.0, 5.0]]]).repeat(4, 1, 1)
    points[1:, 1] = torch.nan
    stamps = torch.zeros(1, 2, 16, 16)
    stamps[0, 0, 4, 4], stamps[0, 1, 5, 6] = 1.0, 1.0  # whose middles are at (9, 9) and (13, 11)
    says = Says(
        {
            "normals": 7 * right.view(1, 3, 1, 1).expand(1, 3, 16, 16),
            "segmentation": torch.tensor([1.0, 0.0]).view(1, 2, 1, 1).expand(1, 2, 16, 16),
            "depth": torch.full((1, 1, 16, 16), 3.0),
            "keypoints": stamps,
        },
        {"keypoints": torch.tensor([[5.0, 5.0]])},
    )
    labels = PixelLabels(dict(zip(TASKS, (normals, classes, depth, points))))
    found = measure(says, images(), labels, INPUT)  # type: ignore[arg-type]
    assert {name: list(values) for name, values in found.items()} == {
        task.name: [metric.name for metric in task.metrics] for task in TASKS
    }
    assert found["normals"] == pytest.approx(
        {"rmse": math.sqrt(0.5 * 60**2), "mean": 30.0, "median": 30.0, "<11.25°": 0.5, "<22.5°": 0.5, "<30°": 0.5},
        abs=1e-3,
    )
    assert found["segmentation"] == pytest.approx({"miou": 0.25, "accuracy": 0.5})
    assert found["depth"] == pytest.approx({"abs_rel": 0.5, "rmse": 1.0, "δ<1.25": 0.0})
    first, second = math.sqrt(2), math.hypot(7, 1)
    expected = {"mean": (4 * first + second) / 5, "found": 0.8, "depth mean": 4 * 1.0 / 5}
    assert found["keypoints"] == pytest.approx(expected)
    flat = Keypoints(("one", "two"), side=32, depth=False)
    found = measure(says, images(), PixelLabels({flat: points[:, :, :2]}), INPUT)  # type: ignore[arg-type]
    assert found["keypoints"] == pytest.approx({"mean": (4 * first + second) / 5, "found": 0.8})
    assert list(found["keypoints"]) == [metric.name for metric in flat.metrics]


def test_scores_without_target_labels_are_negated_losses() -> None:
    problem = pixels_problem()
    dense = network(problem.tasks.every).eval()
    scores = label_free_scores(dense, problem)
    assert problem.source.pixels is not None
    main = problem.tasks.main[0]
    with torch.no_grad():
        stored = problem.source.samples.read(torch.arange(24), torch.Generator())
        maps = dense(problem.input.evaluate(stored)).maps["normals"]
    expected = -main.loss(maps, None, problem.source.pixels.values[main]).item()
    assert scores["main_on_source"] == pytest.approx(expected, rel=1e-5)
    assert set(scores) == {"main_on_source", "anchor_on_target"}
    alone = network(problem.tasks.main)
    assert set(label_free_scores(alone, problem)) == {"main_on_source"}


def test_a_model_predicts_the_same_after_loading(tmp_path: Path) -> None:
    dense = network()
    dense(torch.rand(8, 3, 32, 32))  # batch norms that have seen something
    model = DenseModel(dense.eval(), BACKBONE, TASKS, INPUT, {"problem": {"name": "mine"}})
    model.save(tmp_path)
    loaded = isthmus.load_dense(tmp_path)
    assert (loaded.tasks, loaded.input, loaded.trained_on) == (TASKS, INPUT, model.trained_on)
    for before, after in zip(model.predict(images()), loaded.predict(images()), strict=True):
        assert before.keys() == after.keys() == {"normals", "segmentation", "depth", "keypoints"}
        assert all(torch.equal(before[name], after[name]) for name in before)
        assert before["normals"].shape == (3, 32, 32)
        assert before["keypoints"].shape == (2, 3)
    of_array = model.predict(images().values.numpy())
    assert torch.equal(next(of_array)["normals"], next(model.predict(images()))["normals"])


def test_models_of_either_kind_are_not_taken_for_the_other(tmp_path: Path) -> None:
    DenseModel(network(), BACKBONE, TASKS, INPUT, {}).save(tmp_path)
    with pytest.raises(ModelFileError, match=r"for pixel-wise tasks\. Read it with `isthmus\.load_dense`"):
        isthmus.load(tmp_path)
    description = json.loads((tmp_path / "model.json").read_text())
    (tmp_path / "model.json").write_text(json.dumps({**description, "tasks": "none"}))
    with pytest.raises(ModelFileError, match="incomplete: `tasks` is missing"):
        isthmus.load_dense(tmp_path)
    (tmp_path / "model.json").write_text(json.dumps({**description, "backbone": "pyramid:width=16"}))
    with pytest.raises(ModelFileError, match="do not fit"):
        isthmus.load_dense(tmp_path)


def test_views_hold_pictures_truth_predictions_and_features_of_both_domains(tmp_path: Path) -> None:
    import numpy as np

    problem = pixels_problem()
    dense = network(problem.tasks.main)
    DenseViews(problem).write(tmp_path / "views.npz", dense)
    with np.load(tmp_path / "views.npz") as arrays:
        assert arrays["picture"].shape == (6, 64, 64, 3)
        assert arrays["predicted_normals"].shape == arrays["truth_normals"].shape == (6, 3, 64, 64)
        assert "predicted_segmentation" not in arrays
        assert arrays["features_layer-4_source"].shape == arrays["features_up-3_target"].shape == (24, 2)
