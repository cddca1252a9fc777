"""What a trained model for pixel-wise tasks is worth on an exam, and what it says of images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from isthmus.data.pixelwise import PixelLabels
from isthmus.data.readers.labelled import unlabelled_images
from isthmus.errors import DataError, OptionError, RunFolderError
from isthmus.evaluation.dense import measure
from isthmus.evaluation.dense_models import load_dense_model
from isthmus.evaluation.inference import device_of
from isthmus.experiments.evaluation import exam_of
from isthmus.names import Accelerator, OnBadImage
from isthmus.report.pixelwise import coloured


def evaluate_pixels(
    folder: Path, problem: str | None = None, *, data_root: Path | None = None, accelerator: Accelerator = "auto"
) -> dict[str, Any]:
    """Every metric of a model on a problem's exam, by task, and their units.

    Args:
        folder: of the model.
        problem: built-in problem or problem file whose exam is taken; by default the built-in one that the model was
            trained on.
        data_root: where benchmark data lies.
        accelerator: where the network runs.

    Raises:
        OptionError: no exam is known.
        DataError: the exam has labels of none of the model's tasks, or its images are stored otherwise.
    """
    model = load_dense_model(folder)
    exam = exam_of(model, problem, data_root, advice="Name a problem, or a problem file such as `rooms.yaml`.")
    if not isinstance(exam.truth, PixelLabels):
        raise OptionError(
            f"Exam `{exam.name}` has no labels of pixels. Name a problem that has some, such as `shapes`."
        )
    known = tuple(task for task in exam.pixels.tasks if task in model.tasks)
    if not known:
        raise DataError(f"The model was not trained for `{problem or exam.name}`: its tasks are others.")
    model.network.to(device_of(accelerator))
    found = measure(model.network, exam.samples, exam.pixels.only(known), model.input, title="Measuring")
    units = {task.name: {metric.name: metric.unit for metric in task.metrics} for task in known}
    return {"exam": exam.name, "samples": len(exam.samples), "tasks": found, "units": units}


def predict_pixels(
    folder: Path,
    images: Sequence[Path],
    out: Path,
    *,
    on_bad_image: OnBadImage = "fail",
    accelerator: Accelerator = "auto",
) -> list[dict[str, Any]]:
    """Write what a model says of images: numbers as NPY, and a picture of them as PNG, of every task.

    Normals are unit vectors (3, height, width), segmentations class numbers, depths (height, width), keypoints (points,
    3) of x, y and depth, or (points, 2) without; all at the size of the network's input.

    Args:
        folder: of the model.
        images: image files, or folders that are searched for images.
        out: folder for the files, made if missing.
        on_bad_image: whether images that cannot be read are refused, or left out and named.
        accelerator: where the network runs.

    Raises:
        DataError: an image cannot be read.
        RunFolderError: no space or no permission.
    """
    import numpy as np
    from PIL import Image

    model = load_dense_model(folder)
    paths, samples = unlabelled_images(images, model.input, on_bad_image=on_bad_image)
    model.network.to(device_of(accelerator))
    random, rows = torch.Generator(), []
    try:
        out.mkdir(parents=True, exist_ok=True)
        for number, (path, outputs) in enumerate(zip(paths, model.predict(samples))):
            shown = model.input.picture(samples.read(torch.tensor([number]), random))[0].numpy()
            for task, values in outputs.items():
                file = out / f"{number:04d}-{path.stem}-{task}"
                labels = values.numpy()
                np.save(file.with_name(f"{file.name}.npy"), labels, allow_pickle=False)
                pixels = (255 * coloured(task, labels, shown, labels)).round().astype("uint8")
                Image.fromarray(pixels).save(file.with_name(f"{file.name}.png"))
                rows.append({"image": str(path), "task": task, "file": f"{file}.npy"})
    except OSError as error:
        raise RunFolderError(f"Could not write into {out}: {error}. Choose another with `--out`.") from error
    return rows
