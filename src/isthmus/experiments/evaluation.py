"""What a trained model is worth on labelled images, and what it says of others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from isthmus.data.benchmarks import is_problem_file, load_problem
from isthmus.data.digests import data_digests
from isthmus.data.inputs import ImageInput, VectorInput
from isthmus.data.problems import Exam, Problem
from isthmus.data.readers.labelled import exam_from_folder, unlabelled_images
from isthmus.data.samples import Subset
from isthmus.data.tasks import Labels
from isthmus.errors import DataError, ModelFileError, OptionError
from isthmus.evaluation.dense_models import DenseModel
from isthmus.evaluation.inference import RESULT, device_of, infer
from isthmus.evaluation.metrics import accuracy, class_accuracies
from isthmus.evaluation.models import DESCRIPTION, Model, load_model
from isthmus.experiments.folders import LAST, SELECTED
from isthmus.names import Accelerator, OnBadImage


def model_folder(folder: Path) -> Path:
    """The folder of a model: `folder`, or that of the last epoch of the run in it.

    Raises:
        ModelFileError: there is none, or one for each domain.
    """
    for place in (folder, folder / LAST):
        if (place / DESCRIPTION).is_file():
            return place
        models = sorted(description.parent for description in place.glob(f"*/{DESCRIPTION}"))
        if domains := [str(model) for model in models if model.name not in (LAST, SELECTED)]:
            raise ModelFileError(
                f"Expected the folder of one model, but {place} holds one for each of {len(domains)} domains. "
                f"Give one of them: {', '.join(domains)}."
            )
    found = sorted(place.parent for place in folder.glob(f"runs/*/{LAST}"))
    hint = f" The runs of the comparison there are in folders of their own, such as {found[0]}." if found else ""
    raise ModelFileError(f"Expected the folder of a run or of a model, but {folder} is neither.{hint}")


def evaluate_model(
    folder: Path,
    problem: str | None = None,
    *,
    exam: Path | None = None,
    data_root: Path | None = None,
    on_bad_image: OnBadImage = "fail",
    accelerator: Accelerator = "auto",
) -> dict[str, Any]:
    """Accuracy of a model on an exam, overall and by class.

    Args:
        folder: of the model.
        problem: built-in problem or problem file whose exam is taken; by default the built-in one that the model was
            trained on.
        exam: folder of labelled images instead.
        data_root: where benchmark data lies.
        on_bad_image: whether images of that folder that cannot be read are refused, or left out and named.
        accelerator: where the network runs.

    Raises:
        OptionError: no exam is known, or images of a problem are to be left out.
        DataError: the exam's classes or samples are not the model's.
    """
    if problem is not None and exam is not None:
        raise OptionError(f"Expected a problem's name or `--exam`, but got both (`{problem}` and `{exam}`).")
    if exam is None and on_bad_image != "fail":
        raise OptionError("`--on-bad-image` is for the images of `--exam DIR`. Leave it out for a problem's exam.")
    model = load_model(folder)
    if exam is not None:
        if not isinstance(model.input, ImageInput):
            raise DataError("The model takes feature vectors: `--exam DIR` cannot hold them. Name a problem instead.")
        measured = exam_from_folder(exam, model.classes, model.input, on_bad_image=on_bad_image)
    else:
        measured = exam_of(
            model, problem, data_root, advice="Give labelled images with `--exam DIR`, or name a problem."
        )
        truth = measured.truth
        if not isinstance(truth, Labels) or truth.task.classes != model.classes:
            raise DataError(f"The model was not trained for `{problem or measured.name}`: its classes are others.")
    model.network.to(device_of(accelerator))
    logits = infer(model.network, measured.samples, model.input, title="Measuring")[RESULT]
    labels = measured.labels.values
    by_class = class_accuracies(logits, labels)
    counts = torch.bincount(labels, minlength=len(model.classes)).tolist()
    return {
        "exam": measured.name,
        "samples": len(labels),
        "accuracy": accuracy(logits, labels),
        "classes": [
            {"name": name, "samples": count, "accuracy": value if count else None}
            for name, count, value in zip(model.classes, counts, by_class)
        ],
    }


def exam_of(model: Model | DenseModel, problem: str | None, data_root: Path | None, *, advice: str) -> Exam:
    """The exam of a problem for a model: of the domain that the model is for.

    Args:
        model: that is to be measured.
        problem: built-in problem or problem file; None for the built-in one that the model was trained on.
        data_root: where benchmark data lies.
        advice: what to do where there is none.

    Raises:
        OptionError: no exam is known.
        DataError: it is of other domains than the model's, its images or vectors are stored otherwise, or it was held
            out of images that have changed since.
    """
    name = str(model.trained_on.get("problem", {}).get("name", "")) if problem is None else problem
    if problem is None and not model.trained_on.get("built_in"):
        raise OptionError(
            f"Expected what to measure on, as the model was not trained on a built-in problem (but on `{name}`). "
            f"{advice}"
        )
    size = model.input.size if isinstance(model.input, ImageInput) and is_problem_file(name) else None
    found = load_problem(name, data_root, image_size=size)
    if not found.exams:
        raise OptionError(f"Problem `{name}` has no exam. {advice}")
    domain = model.trained_on.get("domain")
    exam = next((exam for exam in found.exams if exam is found.exam or exam.name == domain), None)
    if exam is None:
        raise DataError(f"Problem `{name}` measures several domains, but none is the model's. {advice}")
    expected, got = ((input.stored_shape, input.shape) for input in (model.input, found.input))
    if expected != got:
        raise DataError(
            f"The model was not trained for `{name}`: expected samples stored as {expected[0]} and seen as "
            f"{expected[1]}, but got {got[0]} and {got[1]}. {advice}"
        )
    if _held_out(exam, found) and _changed(exam, found, model.trained_on):
        raise DataError(
            f"Expected the images of `{name}` that were held out when the model was trained, but they have changed "
            f"since: of those that are held out now it may have seen some. {advice}"
        )
    return exam


def _held_out(exam: Exam, problem: Problem) -> bool:
    """Whether the exam's samples were drawn from those of a domain, which another draw would have trained on."""
    trained = [domain.samples.samples for domain in problem.domains if isinstance(domain.samples, Subset)]
    return isinstance(exam.samples, Subset) and any(samples is exam.samples.samples for samples in trained)


def _changed(exam: Exam, problem: Problem, trained_on: Mapping[str, Any]) -> bool:
    """Whether a model that was trained on a problem of this name had another exam."""
    if trained_on.get("problem", {}).get("name") != problem.name:
        return False
    number = next(number for number, part in enumerate(problem.exams, start=1) if part is exam)
    place = f"exam {number} ({exam.name})"
    return bool(trained_on.get("data", {}).get(place) != data_digests(problem)[place])


def predict_images(
    folder: Path, images: Sequence[Path], *, on_bad_image: OnBadImage = "fail", accelerator: Accelerator = "auto"
) -> list[dict[str, Any]]:
    """The most probable class of every image, and its probability.

    Args:
        folder: of the model.
        images: image files, or folders that are searched for images.
        on_bad_image: whether images that cannot be read are refused, or left out and named.
        accelerator: where the network runs.

    Raises:
        ModelFileError: no model there, or one of another kind.
        DataError: an image cannot be read, or the model does not take images.
    """
    model = load_model(folder)
    if isinstance(model.input, VectorInput):
        raise DataError("The model takes feature vectors, not images. Use `isthmus.load` and `predict` from Python.")
    paths, samples = unlabelled_images(images, model.input, on_bad_image=on_bad_image)
    model.network.to(device_of(accelerator))
    confidence, best = model.predict(samples).max(dim=1)
    return [
        {"image": str(path), "class": model.classes[index], "probability": round(value, 4)}
        for path, index, value in zip(paths, best.tolist(), confidence.tolist())
    ]
