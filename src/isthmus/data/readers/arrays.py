"""Problems from NumPy arrays and tensors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import Any

import numpy as np
import torch
from torch import Tensor

from isthmus.data.inputs import ImageInput, Input, VectorInput, check_stored
from isthmus.data.problems import Domain, Exam, Problem, check_lengths
from isthmus.data.readers.defaults import default_input, default_recipe
from isthmus.data.readers.labels import LabelCode, LabelValue, label_values
from isthmus.data.samples import ArraySamples, Samples, darkness
from isthmus.data.tasks import Labels
from isthmus.errors import DataError
from isthmus.names import listed


def array_problem(
    X_source: Any,
    y_source: Any,
    X_target: Any,
    y_target: Any = None,
    *,
    exam: tuple[Any, Any] | None = None,
    classes: Sequence[LabelValue] | None = None,
    backbone: str | None = None,
    image_size: int | None = None,
    name: str = "arrays",
) -> Problem:
    """A problem from arrays or tensors: unsupervised, or inductive where the target has labels, of other classes.

    Vectors are standardised by the source and go to the `mlp`; images are treated by their size, see
    `readers.defaults.default_input`. A batch is no larger than the smaller domain, and an epoch passes over the larger
    one once. Images that are nearly black are noted.

    Args:
        X_source: (n, features) vectors, or images: (n, height, width), (n, height, width, channels) or
            (n, channels, height, width), with 1 or 3 channels, from 0 to 255 in whole numbers or from 0 to 1.
        y_source: (n,) whole numbers or strings.
        X_target: (m, …), of the same kind.
        y_target: (m,) labels that training sees, none of them a label of the source; None for a target without.
        exam: samples of the target's kind and their labels, none of them in `X_source`; any of `X_target` again make it
            transductive, and are refused where their labels are trained on.
        classes: label values in the order wanted, or names of the classes 0, 1, …; the source's, sorted, if None.
        backbone: name of the backbone; by the kind and size of the samples if None.
        image_size: pixels that the network sees; by the images' size if None.
        name: of the problem.

    Raises:
        DataError: shapes, widths, lengths or labels that do not fit each other, or values that are no image's or not
            finite.
        OptionError: an option out of range.
    """
    if exam is not None:
        _check_pair(exam)
    arrays = {"X_source": X_source, "X_target": X_target} | ({"exam": exam[0]} if exam is not None else {})
    tensors = [sample_tensor(array, name=label) for label, array in arrays.items()]
    input, backbone = _input(tensors, image_size, backbone)
    samples = [stored_samples(tensor, input, name=label) for label, tensor in zip(arrays, tensors)]

    values = label_values(y_source, name="y_source")
    code = LabelCode.of(values, classes)
    y_known = code.encode(values, name="y_source")
    check_lengths("y_source", samples[0], y_known)
    y_learnt = None
    if y_target is not None:
        values = label_values(y_target, name="y_target")
        code = _other_classes(values, code)
        y_learnt = code.encode(values, name="y_target")
        check_lengths("y_target", samples[1], y_learnt)
    measured = None
    if exam is not None:
        y_measured = code.encode(label_values(exam[1], name="exam"), name="exam")
        measured = exam_of_arrays(samples, y_measured, trained_on=y_target is not None)
    return Problem(
        name=name,
        domains=(Domain("source", samples[0], y_known), Domain("target", samples[1], y_learnt)),
        input=input,
        backbone=backbone,
        recipe=default_recipe(len(samples[0]), len(samples[1])),
        exams=(measured,) if measured else (),
        notes=darkness(dict(zip(arrays, samples))),
    )


def sample_tensor(array: Any, *, name: str) -> Tensor:
    """An array of any accepted layout as (n, features) float32 vectors or (n, channels, height, width) uint8 images.

    Raises:
        DataError: another shape or type, values out of range or not finite; `name` says whose.
    """
    if hasattr(array, "toarray"):
        raise DataError(f"`{name}`: expected a dense array, but got a sparse one. Give it `.toarray()`.")
    if isinstance(array, Tensor):
        array = array.detach().cpu()
        array = (array.float() if array.dtype == torch.bfloat16 else array).numpy()  # NumPy has no bfloat16
    try:
        values = np.asarray(array)
    except ValueError as error:
        raise DataError(f"`{name}`: expected samples of one shape, but got {error}.") from error
    if values.dtype.kind not in "buif":
        raise DataError(f"`{name}`: expected an array of numbers, but got {values.dtype}. Convert it.")
    if values.ndim == 2:
        vectors = torch.from_numpy(values.astype(np.float32))
        return ArraySamples(vectors, name=name).values
    pixels = torch.from_numpy(np.ascontiguousarray(_eight_bit(_channels_first(values, name), name)))
    return ArraySamples(pixels, name=name).values


def stored_samples(samples: Tensor, input: Input, *, name: str) -> ArraySamples:
    """The result of `sample_tensor` as a problem with `input` stores it.

    Raises:
        DataError: vectors for an image input or the reverse, or vectors of another width.
    """
    if isinstance(input, VectorInput):
        if samples.ndim != 2 or samples.shape[1:] != input.stored_shape:
            raise DataError(
                f"`{name}`: expected vectors of {input.features} features, as in the source, but got shape "
                f"{tuple(samples.shape)}."
            )
        return ArraySamples(samples, name=name)
    if samples.ndim != 4:
        raise DataError(f"`{name}`: expected images, as in the source, but got shape {tuple(samples.shape)}.")
    return ArraySamples(_stored_images(samples, input), name=name)


def samples_for(input: Input, given: Samples | Any, *, name: str) -> Samples:
    """What `input` takes: stored samples as they are, or those of an array of any layout that `array_problem` takes.

    Raises:
        DataError: stored in another shape; or, of an array, as for `sample_tensor` and `stored_samples`.
    """
    if not hasattr(given, "read"):
        return stored_samples(sample_tensor(given, name=name), input, name=name)
    samples: Samples = given
    check_stored(name, samples, input)
    return samples


def _input(tensors: Sequence[Tensor], image_size: int | None, backbone: str | None) -> tuple[Input, str]:
    if tensors[0].ndim == 2:
        return VectorInput.standardising(tensors[0]), backbone or "mlp"
    images = [tensor for tensor in tensors if tensor.ndim == 4]
    side = max(min(tensor.shape[2:]) for tensor in images)
    channels = max(tensor.shape[1] for tensor in images)
    return default_input(side, channels=channels, image_size=image_size, backbone=backbone)


def _stored_images(images: Tensor, input: ImageInput) -> Tensor:
    """As `input.store` makes them, in one step where at most grey becomes RGB."""
    if images.shape[2:] == input.stored_shape[1:] and images.shape[1] <= input.channels:
        return images.expand(-1, input.channels, -1, -1).contiguous()
    from PIL import Image

    arrays = images.permute(0, 2, 3, 1).numpy()
    grey = images.shape[1] == 1
    return torch.stack([input.store(Image.fromarray(array[..., 0] if grey else array)) for array in arrays])


def _other_classes(labels: Sequence[LabelValue], source: LabelCode) -> LabelCode:
    """The code of a target's labels, of which none may be the source's."""
    both = [name for value, name in zip(source.values, source.task.classes) if value in labels or name in labels]
    if both:
        raise DataError(
            f"`y_target`: expected labels of other classes than the source's, but got {listed(both)} in both. Rename "
            f"them if they are other classes; if they are the same, leave `y_target` out and give `exam` to measure by."
        )
    return LabelCode.of(labels)


def exam_of_arrays(
    samples: Sequence[ArraySamples], labels: Labels, *, trained_on: bool = False, source_name: str = "X_source"
) -> Exam:
    """The exam on the last of source, target and exam samples; it may share none whose labels are trained on.

    Where samples are repeated among those, as vectors of few values are, they are equal by chance.

    Raises:
        DataError: too many or too few labels, or samples in common.
    """
    source, target, measured = samples
    check_lengths("exam", measured, labels)
    _refuse_shared(_shared(measured, source), source, source_name)
    shared = _shared(measured, target)
    if trained_on:
        _refuse_shared(shared, target, "X_target")
    return Exam("target", measured, labels, transductive=shared > 0)


def _check_pair(exam: Any) -> None:
    several = isinstance(exam, (tuple, list))
    if not (several and len(exam) == 2):
        found = f"a {type(exam).__name__}" + (f" of {len(exam)}" if several else "")
        raise DataError(f"Expected `exam=(X_exam, y_exam)`, samples and their labels, but got {found}.")


def _refuse_shared(shared: int, others: ArraySamples, name: str) -> None:
    if shared and len(set(_digests(others))) == len(others):
        raise DataError(
            f"`exam`: expected other samples than `{name}`, whose labels are trained on, but got {shared} of both. "
            f"Hold some out."
        )


def _shared(measured: ArraySamples, others: ArraySamples) -> int:
    """How many samples of an exam are among others too, wherever they stand."""
    known = set(_digests(others))
    return sum(found in known for found in _digests(measured))


def _digests(samples: ArraySamples) -> Iterator[bytes]:
    """What tells each sample by its content, in a few bytes."""
    return (blake2b(row.tobytes(), digest_size=16).digest() for row in samples.values.numpy())


def _channels_first(values: np.ndarray[Any, Any], name: str) -> np.ndarray[Any, Any]:
    if values.ndim == 3:
        return values[:, None]
    if values.ndim == 4 and values.shape[1] in (1, 3):
        return values
    if values.ndim == 4 and values.shape[3] in (1, 3):
        return values.transpose(0, 3, 1, 2)
    raise DataError(
        f"`{name}`: expected vectors (n, features) or images (n, height, width), (n, height, width, channels) or "
        f"(n, channels, height, width) with 1 or 3 channels, but got shape {values.shape}."
    )


def _eight_bit(values: np.ndarray[Any, Any], name: str) -> np.ndarray[Any, Any]:
    if values.dtype == np.uint8 or values.size == 0:
        return values.astype(np.uint8)
    low, high = values.min(), values.max()
    if not (np.isfinite(low) and np.isfinite(high)):
        raise DataError(f"`{name}`: expected finite pixels, but got NaN or infinity. Remove or impute these samples.")
    whole = values.dtype.kind in "bui"
    if low < 0 or high > (255 if whole else 1):
        expected = "0 to 255" if whole else "0 to 1"
        raise DataError(
            f"`{name}`: expected {values.dtype} pixels from {expected}, but got {low} to {high}. Scale them; they are "
            f"normalised later."
        )
    return values.astype(np.uint8) if whole else np.rint(values * 255).astype(np.uint8)
