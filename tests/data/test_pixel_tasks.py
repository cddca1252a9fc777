"""Pixel-wise tasks and their labels: what is refused, losses that pass over what has no label, and `shapes`."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from small_problems import pixels_problem
from torch import Tensor

from isthmus.data.benchmarks import load_problem, setting_of
from isthmus.data.benchmarks import shapes as module
from isthmus.data.inputs import ImageInput
from isthmus.data.pixelwise import Depth, Keypoints, PixelLabels, PixelTask, Segmentation, SurfaceNormals
from isthmus.data.problems import Domain
from isthmus.data.samples import ArraySamples, ColourJitter
from isthmus.data.tasks import Setting
from isthmus.errors import DataError
from isthmus.functional.pixelwise import gaussian_heatmaps

POINTS = Keypoints(("left", "right"), side=16, deviation=2.0)
FLAT = Keypoints(("left", "right"), side=16, deviation=2.0, depth=False)


def maps_and_labels(task: PixelTask) -> tuple[Tensor, Tensor | None, Tensor]:
    """Of two samples of 16×16 pixels, every label known."""
    random = torch.Generator().manual_seed(0)
    maps = torch.randn(2, task.channels, 8, 8, generator=random)
    vectors = torch.randn(2, task.width, generator=random) if task.width else None
    if isinstance(task, Segmentation):
        return maps, vectors, torch.randint(len(task.classes), (2, 16, 16), generator=random)
    shape = (2, *(16 if side is None else side for side in task.shape))
    return maps, vectors, 1 + 14 * torch.rand(shape, generator=random)


TASKS: list[PixelTask] = [SurfaceNormals(), Segmentation(("a", "b", "c")), Depth(), POINTS, FLAT]


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
def test_what_has_no_label_is_as_if_it_were_not_there(task: PixelTask) -> None:
    """Two samples, the second without labels, have the loss of the first alone, and its gradient."""
    maps, vectors, labels = maps_and_labels(task)
    alone = task.loss(maps[:1], None if vectors is None else vectors[:1], labels[:1])
    labels[1] = 255 if isinstance(task, Segmentation) else torch.nan
    maps.requires_grad_()
    loss = task.loss(maps, vectors, labels)
    torch.testing.assert_close(loss, alone)
    (gradient,) = torch.autograd.grad(loss, maps)
    assert gradient[0].abs().sum() > 0
    assert not gradient[1].any()
    assert int(task.count(labels)) == int(task.count(labels[:1])) > 0


def test_perfect_predictions_have_no_loss() -> None:
    normal = torch.tensor([0.0, 0.6, -0.8]).view(1, 3, 1, 1)
    loss = SurfaceNormals().loss(5 * normal.expand(1, 3, 8, 8), None, normal.expand(1, 3, 16, 16))
    torch.testing.assert_close(loss, torch.tensor(0.0))
    depth = torch.full((1, 16, 16), 3.0)
    torch.testing.assert_close(Depth().loss(torch.full((1, 1, 8, 8), 3.0), None, depth), torch.tensor(0.0))


def test_heatmaps_of_zero_lose_about_one_a_point() -> None:
    """The unit of the heatmaps' loss: a Gaussian's own mean square."""
    task = Keypoints(("middle",), side=64, deviation=3.0)
    labels = torch.tensor([[[32.0, 32.0, 0.0]]])
    loss = task.loss(torch.zeros(1, 1, 32, 32), torch.zeros(1, 1), labels)
    torch.testing.assert_close(loss, torch.tensor(1.0), rtol=0.01, atol=0)


def test_points_without_depth_lose_what_their_heatmaps_do() -> None:
    """With depths that are predicted exactly, points in space lose as much."""
    maps, _, labels = maps_and_labels(POINTS)
    labels[0, 1] = torch.nan
    assert (FLAT.shape, FLAT.width, FLAT.metrics) == ((2, 2), 0, POINTS.metrics[:2])
    assert [metric.name for metric in POINTS.metrics] == ["mean", "found", "depth mean"]
    depths = labels[:, :, 2].nan_to_num()
    torch.testing.assert_close(FLAT.loss(maps, None, labels[:, :, :2]), POINTS.loss(maps, depths, labels))


def test_points_stay_where_they_are_in_half_precision() -> None:
    task = Keypoints(("p",), side=256, deviation=3.0)
    place = torch.tensor([[[201.3, 150.6, 2.0]]])
    maps = gaussian_heatmaps(place[:, :, :2] / 2, 128, 128, 1.5)
    assert task.loss(maps.bfloat16(), torch.full((1, 1), 2.0).bfloat16(), place) < 1e-4


def test_labels_of_another_form_are_refused() -> None:
    for task, labels, message in (
        (SurfaceNormals(), torch.zeros(2, 4, 4), r"`normals` as \(n, 3, side, side\) of floating point"),
        (Depth(), torch.zeros(2, 4, 4, dtype=torch.long), r"`depth` as \(n, side, side\) of floating point"),
        (SurfaceNormals(), torch.zeros(2, 3, 4, 4), "NaN where there are none, but got vectors of zero"),
        (Depth(), torch.zeros(2, 4, 4), "`depth` above 0, or NaN"),
        (POINTS, torch.zeros(2, 3, 3), r"`keypoints` as \(n, 2, 3\)"),
        (Segmentation(("a", "b")), torch.zeros(2, 4, 4), "of int64"),
        (Segmentation(("a", "b")), torch.full((2, 4, 4), 2), "from 0 to 1, or 255 for none, but got values"),
    ):
        with pytest.raises(DataError, match=message):
            PixelLabels({task: labels})
    with pytest.raises(DataError, match="for the same samples"):
        PixelLabels({Depth(): torch.ones(2, 4, 4), SurfaceNormals(): torch.ones(3, 3, 4, 4)})
    with pytest.raises(DataError, match="expected one label a sample, but got 2 for 3"):
        Domain("short", ArraySamples(torch.zeros(3, 4)), pixels=PixelLabels({Depth(): torch.ones(2, 4, 4)}))


@pytest.mark.parametrize("moving", [{"flip": True}, {"size": 60}])
def test_augmentation_that_would_move_pixels_is_refused(moving: dict[str, int]) -> None:
    problem = pixels_problem()
    assert isinstance(problem.input, ImageInput)
    with pytest.raises(DataError, match="neither cropped nor mirrored"):
        replace(problem, input=replace(problem.input, **moving))  # type: ignore[arg-type]


def test_colours_jitter_and_nothing_moves() -> None:
    """Edges stay where they are: a pixel is brighter than its neighbour before and after."""
    ramp = torch.arange(60, 188, 2, dtype=torch.uint8).expand(1, 3, 64, 64).contiguous()
    jitter = ColourJitter(ArraySamples(ramp))
    drawn = [jitter.read(torch.tensor([0]), torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    for image in drawn:
        assert (image.int().diff(dim=3) > 0).all()
        assert image.shape == ramp.shape


def test_a_class_may_not_have_the_number_of_none() -> None:
    classes = tuple(map(str, range(256)))
    assert Segmentation(classes[:255]).channels == 255
    with pytest.raises(
        DataError, match="Expected at most 255 classes of `segmentation`, as 255 stands for none, but got 256"
    ):
        Segmentation(classes)


@pytest.mark.usefixtures("few_scenes")
def test_shapes_shows_the_target_without_main_labels() -> None:
    problem = load_problem("shapes")
    assert problem.setting is Setting.ASSISTED is setting_of("shapes")
    source, target = problem.source.pixels, problem.target.pixels
    assert source is not None
    assert target is not None
    assert [task.name for task in source.tasks] == ["normals", "segmentation"]
    assert [task.name for task in target.tasks] == ["segmentation"]
    normals, segmentation = source.values.values()
    assert torch.equal(normals.isnan().any(dim=1), segmentation == 255), "the sky has no labels"
    torch.testing.assert_close(normals.norm(dim=1).nan_to_num(nan=1.0), torch.ones(8, 64, 64))


@pytest.mark.usefixtures("few_scenes")
def test_shapes_splits_share_no_scene_and_the_variants_differ_in_poses() -> None:
    equal, shifted = load_problem("shapes"), load_problem("shapes-shifted")
    validation = module.shapes(measured_on="validation")
    assert validation.name == "shapes:validation"
    anchor = equal.tasks.anchors[0]
    seen = []
    for part in (equal.source, equal.target, equal.exam, validation.exam):
        values = part.pixels.values[anchor]  # type: ignore[union-attr]
        seen += [values[i] for i in range(len(values))]
    assert not any(torch.equal(a, b) for i, a in enumerate(seen) for b in seen[:i])
    one, other = (problem.target.pixels.values[anchor] for problem in (equal, shifted))  # type: ignore[union-attr]
    assert not torch.equal(one, other)
    same = (problem.source.pixels.values[anchor] for problem in (equal, shifted))  # type: ignore[union-attr]
    assert torch.equal(*same)


@pytest.mark.usefixtures("few_scenes")
def test_shapes_takes_any_tasks() -> None:
    problem = module.shapes(main=("normals", "depth"), anchors=("keypoints",))
    assert [task.name for task in problem.tasks.main] == ["normals", "depth"]
    assert [task.name for task in problem.tasks.anchors] == ["keypoints"]
