"""`shapes`: surface normals of rendered scenes, from a plain look to a realistic one, helped by segmentation.

Everything is drawn by `data.shapes` and exactly known. The source has labels of the main task, surface normals, and of
the anchor task, which kind of object each pixel shows; the target of the anchor task only. Each split has scenes of its
own. `shapes` has equal poses in both domains; in `shapes-shifted` the target's camera looks from higher up and its
objects lie about, so that the distribution of normals differs as well.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from isthmus.data.inputs import ImageInput
from isthmus.data.pixelwise import Depth, Keypoints, PixelLabels, PixelTask, Segmentation, SurfaceNormals
from isthmus.data.problems import Domain, Exam, Problem
from isthmus.data.recipes import Recipe
from isthmus.data.samples import ArraySamples, ColourJitter
from isthmus.data.shapes import KEYPOINTS, KINDS, REAL, SYNTHETIC, TUMBLED, UPRIGHT, Look, Poses, Shapes, render
from isthmus.data.splits import MeasuredOn, split_name

SIZE = 64
SPLITS = {"source": 600, "target": 600, "validation": 150, "exam": 300}
"""Scenes of each; no scene is in two."""
SEED = 6

TASKS: dict[str, PixelTask] = {
    task.name: task for task in (SurfaceNormals(), Segmentation(KINDS), Depth(), Keypoints(KEYPOINTS, side=SIZE))
}


def shapes(
    data_root: Path | None = None,
    *,
    shifted: bool = False,
    main: tuple[str, ...] = ("normals",),
    anchors: tuple[str, ...] = ("segmentation",),
    measured_on: MeasuredOn = "exam",
    real: Look = REAL,
) -> Problem:
    """The problem; `measured_on="validation"` is for choosing settings without looking at the exam.

    Args:
        data_root: not used, everything is drawn.
        shifted: whether the target's poses are others than the source's.
        main: the tasks that count: of `normals`, `segmentation`, `depth`, `keypoints`.
        anchors: the tasks that help.
        measured_on: the split that scores are taken on.
        real: the target's look.
    """
    poses = TUMBLED if shifted else UPRIGHT
    source = _rendered("source", SYNTHETIC, UPRIGHT)
    target, measured = (_rendered(split, real, poses) for split in ("target", measured_on))
    name = "shapes-shifted" if shifted else "shapes"
    return Problem(
        name=split_name(name, measured_on),
        domains=(
            Domain("synthetic", ColourJitter(_images(source)), pixels=_labels(source, *main, *anchors)),
            Domain("real", ColourJitter(_images(target)), pixels=_labels(target, *anchors)),
        ),
        input=ImageInput.plain(3, SIZE),
        backbone="pyramid:width=16,decoder=32",
        recipe=Recipe(
            epochs=20,
            steps_per_epoch=37,
            batch_size=16,
            optimizer="adam",
            lr=0.002,
            weight_decay=0.0,
            batch_norm="joint",
            evaluations=20,
        ),
        exams=(Exam("real", _images(measured), _labels(measured, *main, *anchors)),),
        oracle=_labels(target, *main),
    )


def shapes_shifted(data_root: Path | None = None) -> Problem:
    """With other poses in the target."""
    return shapes(data_root, shifted=True)


def pixel_labels(scenes: Shapes, task: PixelTask) -> Tensor:
    """The labels of one task, NaN or `IGNORED` where there are none."""
    sky = ~scenes.valid
    if isinstance(task, SurfaceNormals):
        return scenes.normals.masked_fill(sky[:, None], torch.nan)
    if isinstance(task, Depth):
        return scenes.depth.masked_fill(sky, torch.nan)
    if isinstance(task, Keypoints):
        return scenes.keypoints.masked_fill(~scenes.visible[:, :, None], torch.nan)
    return scenes.segmentation


@lru_cache(maxsize=8)
def _rendered(split: str, look: Look, poses: Poses) -> Shapes:
    first = sum(number for name, number in SPLITS.items() if list(SPLITS).index(name) < list(SPLITS).index(split))
    return render(torch.arange(first, first + SPLITS[split]), seed=SEED, look=look, poses=poses, size=SIZE)


def _images(scenes: Shapes) -> ArraySamples:
    return ArraySamples(scenes.images, name="shapes")


def _labels(scenes: Shapes, *names: str) -> PixelLabels:
    return PixelLabels({TASKS[name]: pixel_labels(scenes, TASKS[name]) for name in names})
