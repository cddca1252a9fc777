"""Problems from arrays: layouts, ranges and labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from isthmus.data.inputs import VectorInput
from isthmus.data.readers.arrays import array_problem, sample_tensor
from isthmus.data.readers.labels import LabelCode, label_values
from isthmus.data.tasks import Setting
from isthmus.errors import DataError

RANDOM = np.random.default_rng(0)
X, Y, T = RANDOM.normal(3, 2, (40, 5)), np.arange(40) % 3, RANDOM.normal(size=(10, 5))
PIXELS = RANDOM.integers(0, 256, (6, 20, 20, 3), dtype=np.uint8)


def read(samples: Any) -> torch.Tensor:
    return samples.read(torch.arange(len(samples)), torch.Generator())  # type: ignore[no-any-return]


def test_vectors_are_standardised_by_the_source() -> None:
    problem = array_problem(X, Y, T, exam=(T[:4] + 1, [0, 1, 2, 0]))
    assert problem.backbone == "mlp"
    assert isinstance(problem.input, VectorInput)
    seen = problem.input.evaluate(read(problem.source.samples)).double()
    np.testing.assert_allclose(seen.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(seen.std(0, correction=0), 1, atol=1e-6)
    np.testing.assert_allclose(
        problem.input.evaluate(read(problem.target.samples)), (T - X.mean(0)) / X.std(0), rtol=1e-4, atol=1e-5
    )
    assert problem.task.classes == ("0", "1", "2")
    assert problem.target.labels is None
    assert problem.recipe.batch_size == 10  # the target is smaller than the usual batch
    assert problem.exam is not None
    assert not problem.exam.transductive


OVERLAPS = pytest.mark.parametrize(
    ("rows", "shared"),
    [(T, 10), (T[::-1], 10), (T[:4], 4), (np.concatenate([T + 1, T[3:5]]), 2)],
    ids=["all", "reversed", "some", "among others"],
)


@OVERLAPS
@pytest.mark.parametrize("kind", [np.asarray, lambda rows: torch.tensor(rows.copy())], ids=["array", "tensor"])
def test_exam_on_samples_of_the_target_is_transductive(rows: np.ndarray, shared: int, kind: Any) -> None:
    problem = array_problem(X, Y, T, exam=(kind(rows), np.zeros(len(rows), dtype=int)))
    assert problem.exam is not None
    assert problem.exam.transductive


@OVERLAPS
def test_exam_on_samples_whose_labels_are_trained_on_is_refused(rows: np.ndarray, shared: int) -> None:
    with pytest.raises(DataError, match=rf"other samples than `X_target`, whose .* trained on, but got {shared} of"):
        array_problem(X, Y, T, [3, 4] * 5, exam=(rows, [3] * len(rows)))
    with pytest.raises(DataError, match=rf"other samples than `X_source`, whose .* trained on, but got {shared} of"):
        array_problem(T, [0, 1] * 5, X, exam=(rows, [0] * len(rows)))


def test_samples_that_are_repeated_are_equal_by_chance() -> None:
    """As those of a table of a few values are."""
    table = np.array(np.meshgrid([0, 1], [0, 1], [0, 1])).reshape(3, 8).T.astype(np.float32)
    source, target = np.concatenate([table, table]), table[::-1]
    problem = array_problem(source, [0, 1] * 8, target, exam=(table[:5], [0] * 5))
    assert problem.exam is not None
    assert problem.exam.transductive
    with pytest.raises(DataError, match="8 of both"):
        array_problem(table, [0, 1] * 4, target, exam=(table, [0] * 8))


def test_images_of_an_exam_are_compared_as_they_are_stored() -> None:
    others = 255 - PIXELS
    assert not array_problem(PIXELS, [0, 1] * 3, others, exam=(others[:2] // 2, [0, 1])).exams[0].transductive
    assert array_problem(PIXELS, [0, 1] * 3, others, exam=(others[1:] / 255, [0] * 5)).exams[0].transductive


def test_labels_of_other_classes_make_it_inductive() -> None:
    problem = array_problem(X, Y, T, np.array(["oak", "yew"] * 5), exam=(T[:4] + 1, ["yew"] * 4))
    assert problem.setting is Setting.INDUCTIVE
    assert problem.task.classes == ("oak", "yew")
    assert problem.source.labels is not None
    assert problem.target.labels is not None
    assert problem.source.labels.task.classes == ("0", "1", "2")
    assert problem.target.labels.values.tolist() == [0, 1] * 5
    assert problem.exam is not None
    assert problem.exam.labels.values.tolist() == [1] * 4
    assert not problem.exam.transductive
    assert (problem.recipe.batch_size, problem.recipe.steps_per_epoch) == (10, 4)
    assert array_problem(X, Y, T, np.arange(10) % 2 + 3).exam is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"y_target": np.arange(10) % 4 + 2}, r"`y_target`: expected labels of other classes .* but got `2` in both"),
        ({"y_target": ["b", "x"] * 5, "classes": ["a", "b", "c"]}, r"but got `b` in both"),
        ({"y_target": [3, 4]}, r"`y_target`: expected one label a sample, but got 2 for 10"),
        ({"y_target": [3] * 10}, r"at least two classes"),
        ({"exam": (T + 1, [0] * 10)}, r"`exam`: expected labels among `3`, `4`, but got also `0`"),
    ],
)
def test_what_is_refused_of_labels_of_the_target(change: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        array_problem(X, Y, T, **{"y_target": [3, 4] * 5, **change})


@pytest.mark.parametrize(
    "layout",
    [
        PIXELS,
        PIXELS.transpose(0, 3, 1, 2),
        torch.from_numpy(PIXELS).permute(0, 3, 1, 2),
        PIXELS.astype(np.int64),
        PIXELS / 255,
        (PIXELS / 255).astype(np.float32),
        torch.from_numpy(PIXELS).float().div(255).requires_grad_(),
    ],
    ids=["last", "first", "tensor", "int64", "float64", "float32", "gradient"],
)
def test_layouts_of_images_are_one(layout: Any) -> None:
    problem = array_problem(layout, ["a", "b"] * 3, layout)
    np.testing.assert_array_equal(read(problem.source.samples), PIXELS.transpose(0, 3, 1, 2))
    assert problem.input.shape == (3, 20, 20)
    assert problem.backbone == "digits"


def test_images_of_a_small_range_are_noted() -> None:
    masks = (PIXELS > 128).astype(int)
    problem = array_problem(PIXELS, [0, 1] * 3, masks, exam=(masks[::-1] * 31, [0] * 6))
    black = "are nearly black (largest value {} of 255): scale them to the full range"
    assert problem.notes == (f"images of `X_target` {black.format(1)}", f"images of `exam` {black.format(31)}")
    assert array_problem(PIXELS, [0, 1] * 3, masks * 32).notes == ()
    assert array_problem(X, Y, T).notes == ()


def test_grey_and_colour_meet_in_colour_and_sizes_at_the_larger() -> None:
    grey = PIXELS[:, :16, :16, 0]
    problem = array_problem(grey, [0, 1] * 3, PIXELS)
    source = read(problem.source.samples)
    assert source.shape == (6, 3, 20, 20)
    assert torch.equal(source[:, 0], source[:, 2])
    only_grey = array_problem(grey, [0, 1] * 3, grey)
    np.testing.assert_array_equal(read(only_grey.source.samples)[:, 0], grey)
    assert only_grey.input.shape == (1, 16, 16)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"X_source": np.where(np.arange(200).reshape(40, 5) == 7, np.nan, X)},
            r"`X_source`: expected finite.*first: 1",
        ),
        ({"X_target": np.full((4, 5), np.inf)}, r"`X_target`: expected finite"),
        (
            {"X_target": T[:, :4]},
            r"`X_target`: expected vectors of 5 features, as in the source, but got shape \(10, 4\)",
        ),
        ({"X_target": PIXELS}, r"`X_target`: expected vectors of 5 features"),
        ({"y_source": Y[:-1]}, r"`y_source`: expected one label a sample, but got 39 for 40"),
        ({"y_source": np.zeros(40)}, "at least two classes, but got only '0'. Add samples of another class."),
        ({"y_source": 5}, r"`y_source`: expected a vector of labels, one a sample, but got 5"),
        ({"y_source": "cat"}, r"`y_source`: expected a vector of labels, one a sample, but got 'cat'"),
        ({"y_source": np.eye(40)}, r"`y_source`: expected a vector of labels.*\(40, 40\)"),
        ({"y_source": Y + 0.5}, r"`y_source`: expected labels that are all whole numbers or all strings.*0\.5"),
        ({"y_source": [0, "a"] * 20}, r"int and str"),
        ({"y_source": [None, "a"] * 20}, r"such as None"),
        ({"exam": (T, [7] * 10)}, r"`exam`: expected labels among `0`, `1`, `2`, but got also `7`"),
        ({"exam": (T, [0])}, r"`exam`: expected one label a sample, but got 1 for 10"),
        ({"exam": (T[:, :2], [0] * 10)}, r"`exam`: expected vectors of 5 features"),
        ({"exam": T}, r"Expected `exam=\(X_exam, y_exam\)`, samples and their labels, but got a ndarray"),
        ({"exam": torch.tensor(T)}, r"`exam=\(X_exam, y_exam\)`, .* but got a Tensor"),
        ({"exam": [T]}, r"`exam=\(X_exam, y_exam\)`, .* but got a list of 1"),
        ({"exam": {"X": T, "y": Y}}, r"`exam=\(X_exam, y_exam\)`, .* but got a dict"),
        ({"X_source": X[:, 0]}, r"expected vectors \(n, features\) or images .* got shape \(40,\)"),
        ({"X_source": np.zeros((4, 8, 8, 2))}, r"with 1 or 3 channels, but got shape \(4, 8, 8, 2\)"),
        ({"X_source": X[:0], "y_source": []}, r"`X_source`: expected at least one sample"),
        ({"X_source": np.array([["a"]])}, r"expected an array of numbers"),
        ({"X_target": csr_array(np.eye(3))}, r"`X_target`: expected a dense array, but got a sparse one"),
        ({"X_source": [[1.0, 2.0], [3.0]]}, r"expected samples of one shape"),
        ({"X_source": PIXELS, "y_source": [0, 1] * 3}, r"`X_target`: expected images, as in the source"),
    ],
)
def test_what_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        array_problem(**{"X_source": X, "y_source": Y, "X_target": T, **change})


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (PIXELS.astype(np.float32), r"float32 pixels from 0 to 1, but got 0.0 to 255.0"),
        (PIXELS / 127.5 - 1, r"from 0 to 1, but got -1.0"),
        (PIXELS.astype(int) * 2, r"int64 pixels from 0 to 255, but got 0 to 510"),
        (np.full((2, 8, 8), np.nan), r"NaN or infinity"),
    ],
)
def test_pixels_out_of_range(images: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=message):
        sample_tensor(images, name="X")


@pytest.mark.parametrize("samples", [torch.tensor([[0.5, 2.0]]), torch.full((1, 8, 8), 0.5)], ids=["vectors", "grey"])
def test_half_precision_is_read_as_well(samples: torch.Tensor) -> None:
    for dtype in (torch.bfloat16, torch.float16):
        assert torch.equal(sample_tensor(samples.to(dtype), name="X"), sample_tensor(samples, name="X"))


def test_labels_of_all_kinds() -> None:
    for labels in (
        np.array([2, 0]),
        torch.tensor([2, 0]),
        [np.int64(2), torch.tensor(0)],
        [2.0, 0.0],
        np.array([2.0, 0]),
    ):
        assert label_values(labels, name="y") == [2, 0]
    for labels in (np.array(["b", "a"]), np.array(["b", "a"], dtype=object), ["b", np.str_("a")], ("b", "a")):
        assert label_values(labels, name="y") == ["b", "a"]
    with pytest.raises(DataError, match="vector of labels"):
        label_values(torch.tensor(1), name="y")


def test_classes_give_the_order_or_the_names() -> None:
    code = LabelCode.of(["x", "y"], classes=["y", "x"])
    assert code.encode(["x", "y"], name="y").values.tolist() == [1, 0]
    assert LabelCode.of([10, 9, 100]).task.classes == ("9", "10", "100")  # sorted as numbers
    named = LabelCode.of([1, 0], classes=["zero", "one", "two"])
    assert named.encode([2, 0], name="y").values.tolist() == [2, 0]
    with pytest.raises(DataError, match="got also `3`"):
        named.encode([3], name="y")
