"""Commands that take a trained model."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from isthmus.cli.flags import LOADING, check_file
from isthmus.cli.output import print_json, show_classes, show_exported, show_pixels, write_rows
from isthmus.errors import ModelFileError, OptionError
from isthmus.files import replacing
from isthmus.names import Accelerator, OnBadImage
from isthmus.progress import waiting


def evaluate(
    run: Path,
    problem: str | None = None,
    *,
    exam: Path | None = None,
    on_bad_image: OnBadImage = "fail",
    accelerator: Accelerator = "auto",
    data_root: Path | None = None,
    json: bool = False,
) -> None:
    """Measure a trained model on labelled images.

    Args:
        run: folder of a run or of a model.
        problem: built-in problem or problem file whose exam is taken; by default the built-in one that the model was
            trained on.
        exam: folder with a folder of images for each class, instead of a problem.
        on_bad_image: what to do about an image of that folder that cannot be read.
        accelerator: where the network runs; by default on a GPU where there is one.
        data_root: where benchmark data lies; by default `ISTHMUS_DATA`, else ~/.cache/isthmus.
        json: print the result as JSON.
    """
    with waiting(LOADING):
        from isthmus.evaluation.models import predicted_by
        from isthmus.experiments.evaluation import evaluate_model, model_folder
        from isthmus.experiments.pixelwise import evaluate_pixels

    model = model_folder(run)
    where: dict[str, Any] = {"data_root": data_root, "accelerator": accelerator}
    if predicted_by(model) == "pixels":
        if exam is not None or on_bad_image != "fail":
            raise OptionError(
                "`--exam DIR` and `--on-bad-image` are for folders of classes. Name a problem to measure a model for "
                "pixel-wise tasks."
            )
        result, show = evaluate_pixels(model, problem, **where), show_pixels
    else:
        result, show = evaluate_model(model, problem, exam=exam, on_bad_image=on_bad_image, **where), show_classes
    print_json(result) if json else show(result)


def predict(
    model: Path,
    images: list[Path],
    *,
    out: Path | None = None,
    on_bad_image: OnBadImage = "fail",
    accelerator: Accelerator = "auto",
    json: bool = False,
) -> None:
    """Classify images with a trained model, or write what it says of their pixels.

    Args:
        model: folder of a run or of a model.
        images: image files, or folders of them.
        out: write to this file instead of printing; of a model for pixel-wise tasks, the folder for its files.
        on_bad_image: what to do about an image that cannot be read: refuse all, or leave it out and name it.
        accelerator: where the network runs; by default on a GPU where there is one.
        json: print JSON instead of CSV.
    """
    with waiting(LOADING):
        from isthmus.evaluation.models import predicted_by
        from isthmus.experiments.evaluation import model_folder, predict_images
        from isthmus.experiments.pixelwise import predict_pixels

    model = model_folder(model)
    if predicted_by(model) == "pixels":
        if out is None:
            raise OptionError("A model for pixel-wise tasks writes files: give a folder for them with `--out DIR`.")
        rows = predict_pixels(model, images, out, on_bad_image=on_bad_image, accelerator=accelerator)
        write_rows(rows, sys.stdout, json)
        return
    if out is not None:
        check_file("--out", out)
    rows = predict_images(model, images, on_bad_image=on_bad_image, accelerator=accelerator)
    if out is None:
        write_rows(rows, sys.stdout, json)
        return
    with replacing(out) as part, part.open("w", newline="", encoding="utf-8") as file:
        write_rows(rows, file, json)


def export(model: Path, file: Path, *, json: bool = False) -> None:
    """Write a trained model as one ONNX file, for programs that know neither isthmus nor PyTorch.

    Args:
        model: folder of a run or of a model.
        file: path of the file, such as cats.onnx; an older one there is replaced.
        json: print names, types and shapes of what the file takes and gives as JSON.
    """
    check_file("file", file)
    with waiting(LOADING):
        from isthmus.evaluation.dense_models import load_dense_model
        from isthmus.evaluation.models import load_model, predicted_by
        from isthmus.experiments.evaluation import model_folder

    model = model_folder(model)
    kind = predicted_by(model)
    if kind == "images":
        raise ModelFileError(
            f"Expected a model that predicts classes or pixels, but {model} holds one that completes or generates "
            f"images, which is not exported. Read it with `isthmus.load_images`."
        )
    with waiting("Exporting …"):
        exported = (load_dense_model(model) if kind == "pixels" else load_model(model)).export(file)
    show_exported(exported, json)
