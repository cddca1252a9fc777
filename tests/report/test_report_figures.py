from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pytest

from isthmus.report.categories import CHARACTERS, cost_plot
from isthmus.report.embeddings import class_colour, embedding_plot, tsne
from isthmus.report.figures import learning_curves, loss_curves, method_styles, score_plot
from isthmus.report.pixelwise import coloured
from isthmus.report.results import EpochRow, Results
from isthmus.report.units import Unit


def epoch(number: int, accuracy: float | None) -> EpochRow:
    return {
        "epoch": number,
        "losses": {"task": 1.0 / number, "cost_$": -1.0},
        "metrics": {} if accuracy is None else {"target": accuracy},
        "scores": {},
    }


def marks(svg: str) -> int:
    """Number of drawn paths; fails on an SVG that does not parse."""
    return sum(element.tag.endswith("path") for element in ET.fromstring(svg).iter())


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ET.fromstring(svg).iter() if element.tag.endswith("text")]


def test_each_method_has_a_look_of_its_own() -> None:
    styles = method_styles(["source_only", *(f"method{i}" for i in range(12))], "source_only")
    assert len({(style.colour, style.dash) for style in styles.values()}) == 13
    assert styles["method3"] == method_styles([f"method{i}" for i in range(12)], "source_only")["method3"]


def test_score_plot_of_some_and_of_unknown_errors(results: Results) -> None:
    styles = method_styles((row["method"] for row in results["summary"]), "source_only")
    full = marks(score_plot(results, styles))
    for row in results["summary"]:
        row["last"]["stderr"] = None
    assert 0 < marks(score_plot(results, styles)) < full


def test_charts_are_the_same_every_time(results: Results) -> None:
    styles = method_styles((row["method"] for row in results["summary"]), "source_only")
    assert score_plot(results, styles) == score_plot(results, styles)


def test_curves() -> None:
    histories = {"a": [[epoch(1, 0.5), epoch(2, None), epoch(3, 0.7)], [epoch(1, 0.4)]], "b_$x": [[epoch(1, 0.3)]]}
    curves = learning_curves(histories, "accuracy", Unit("%"), method_styles(histories, "source_only"))
    assert curves is not None
    assert {"a", "b_$x", "accuracy in percent on the exam"} <= set(texts(curves))
    losses = loss_curves(histories)
    assert {"a", "b_$x", "task", "cost $"} <= set(texts(losses))
    assert marks(losses) > marks(curves) > 0


def test_names_that_a_font_lacks_and_long_ones(recwarn: pytest.WarningsRecorder) -> None:
    names = ["猫", f"{'mtl_both+feature_adversary:lr=0.1,' * 5}depths=out", f"{'very long ' * 20}name"]
    drawn = texts(loss_curves({name: [[epoch(1, 0.5)]] for name in names}))
    assert "猫" in drawn
    assert [name for name in drawn if "…" in name and name.endswith("depths=out")]
    drawn = texts(cost_plot(np.eye(3), names, names))
    assert drawn.count("猫") == 2
    assert max(map(len, drawn)) == CHARACTERS
    assert not [str(warning.message) for warning in recwarn]


def test_depths_of_one_picture_are_coloured_alike() -> None:
    truth, picture = np.array([[1.0, 2.0], [3.0, np.nan]]), np.zeros((2, 2, 3))
    own = coloured("depth", truth, picture, truth)[:, :, 0]
    np.testing.assert_allclose(own, [[1.0, 0.5], [0.0, 1.0]])  # near is bright, unknown white
    nearer = coloured("depth", truth / 2, picture, truth)[:, :, 0]
    np.testing.assert_allclose(nearer, [[1.0, 1.0], [0.75, 1.0]])


def test_no_two_classes_share_a_colour() -> None:
    labels = np.arange(256).reshape(16, 16)
    colours = coloured("segmentation", labels, np.zeros((16, 16, 3)), labels)
    assert len({tuple(colour) for colour in colours.reshape(256, 3).round(6).tolist()}) == 256
    np.testing.assert_array_equal(colours[-1, -1], 1.0)  # unknown


def test_no_curves_without_anything_evaluated() -> None:
    assert (
        learning_curves({"a": [[epoch(1, None)]]}, "accuracy", Unit("%"), method_styles(["a"], "source_only")) is None
    )


def test_tsne_separates_what_is_apart_and_repeats_itself() -> None:
    rng = np.random.default_rng(0)
    features = np.concatenate([rng.normal(0, 1, (20, 5)), rng.normal(50, 1, (20, 5))])
    points = tsne(features)
    np.testing.assert_array_equal(points, tsne(features))
    left, right = points[:20], points[20:]
    gap = np.linalg.norm(left.mean(0) - right.mean(0))
    assert gap > 2 * max(left.std(), right.std())


@pytest.mark.parametrize("shape", [(1, 3), (2, 1), (5, 2), (12, 1), (7, 50)])
@pytest.mark.parametrize("spread", [0.0, 1.0])
def test_tsne_of_few_flat_and_collapsed_features(shape: tuple[int, int], spread: float) -> None:
    points = tsne(spread * np.random.default_rng(0).normal(size=shape))
    assert points.shape == (shape[0], 2)
    assert np.isfinite(points).all()


def test_embedding_of_many_samples_with_unknown_labels() -> None:
    rng = np.random.default_rng(0)
    plot = embedding_plot(rng.normal(size=(30, 4)), rng.normal(size=(9, 4)), rng.integers(0, 40, 30), np.full(9, -1))
    assert plot.count("<image") == 2
    assert class_colour(-1) not in {class_colour(label) for label in range(40)}
