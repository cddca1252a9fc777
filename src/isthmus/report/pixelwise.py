"""Pixel-wise tasks in the report: a grid of predictions, and features by depth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from isthmus.report.embeddings import SOURCE, TARGET
from isthmus.report.figures import COLOURS, EDGE, INK, WIDTH, plain, svg
from isthmus.report.names import folded
from isthmus.report.results import read_arrays

if TYPE_CHECKING:
    from numpy.typing import NDArray

DENSE_VIEWS = "dense_views.npz"
PANEL = 2.1
"""Inches of a row of panels."""
CHARACTER = 0.085
"""Inches of a character in the titles of panels, roughly."""


def read_dense_views(folder: Path) -> dict[str, NDArray[Any]]:
    """Pictures, predictions and features of the run in `folder`; nothing if it kept none.

    Raises:
        RunFolderError: the file is unreadable.
    """
    return read_arrays(folder / DENSE_VIEWS)


def prediction_grid(views: dict[str, dict[str, NDArray[Any]]], task: str) -> str:
    """A row for each picture: the image, the truth where it is known, and every method's prediction."""
    from matplotlib.figure import Figure

    views = {method: own for method, own in views.items() if f"predicted_{task}" in own}
    first = next(iter(views.values()))
    pictures, columns = first["picture"], {"image": list(first["picture"])}
    maps = {"truth": first[f"truth_{task}"]} if f"truth_{task}" in first else {}
    maps |= {method: own[f"predicted_{task}"] for method, own in views.items()}
    rulers = next(iter(maps.values()))  # all of a row are coloured alike: by the truth, or else by the first method
    for title, labels in maps.items():
        columns[title] = [coloured(task, *each) for each in zip(labels, pictures, rulers)]
    side = WIDTH / max(len(columns), 5)
    figure = Figure(figsize=(side * len(columns), side * len(pictures) + 0.4), layout="constrained")
    axes = figure.subplots(len(pictures), len(columns), squeeze=False)
    for place, (title, images) in enumerate(columns.items()):
        axes[0, place].set_title(_title(title, side), fontsize=9, color=INK)
        for row, image in enumerate(images):
            axes[row, place].imshow(image, interpolation="nearest")
            axes[row, place].set_axis_off()
    return svg(figure)


def feature_plot(views: dict[str, dict[str, NDArray[Any]]]) -> str:
    """Mean features of images in their two main directions: a row for each method, a column for each depth."""
    from matplotlib.figure import Figure

    depths = [name.split("_")[1] for name in next(iter(views.values())) if name.endswith("_source")]
    figure = Figure(figsize=(WIDTH, 0.3 + PANEL * len(views)), layout="constrained")
    axes = figure.subplots(len(views), len(depths), squeeze=False)
    for row, (method, arrays) in enumerate(views.items()):
        axes[row, 0].set_ylabel(_title(method, PANEL), fontsize=9, color=INK)
        for column, depth in enumerate(depths):
            panel = axes[row, column]
            for domain, colour, marker in (("source", SOURCE, "o"), ("target", TARGET, "^")):
                points = arrays[f"features_{depth}_{domain}"]
                panel.scatter(points[:, 0], points[:, 1], s=9, color=colour, marker=marker, alpha=0.6, linewidths=0)
            panel.set(xticks=[], yticks=[])
            panel.spines[:].set_color(EDGE)
            if row == 0:
                panel.set_title(depth, fontsize=10, color=INK)
    return svg(figure)


def coloured(task: str, labels: NDArray[Any], picture: NDArray[Any], ruler: NDArray[Any]) -> NDArray[Any]:
    """One sample's labels as a picture, (height, width, 3) in [0, 1]; white where there are none.

    Args:
        task: of the labels.
        labels: known or predicted.
        picture: the sample's.
        ruler: the same or other labels of the sample: the nearest of its depths is white, the farthest black.
    """
    import numpy as np

    if task == "normals":
        # Right is red, up is green, towards the camera is blue.
        return _or_white((np.stack([labels[0], -labels[1], -labels[2]], axis=-1) + 1) / 2)
    if task == "segmentation":
        return np.where((labels == 255)[..., None], 1.0, _palette()[labels])
    if task == "keypoints":
        return _marked(picture / 255, labels)
    low, high = np.nanmin(ruler), np.nanmax(ruler)
    return _or_white(np.repeat((high - labels)[..., None] / max(high - low, 1e-6), 3, axis=-1))


def _palette() -> NDArray[Any]:
    """A colour for each class that bytes can hold, (256, 3): the first ones easily told apart, all different."""
    import numpy as np
    from matplotlib.colors import hsv_to_rgb, to_rgb

    golden = np.arange(256 - len(COLOURS)) * 0.618034 % 1  # hues far from those just before
    others = np.stack([golden, np.full_like(golden, 0.55), np.full_like(golden, 0.8)], axis=-1)
    return np.concatenate([[to_rgb(colour) for colour in COLOURS], hsv_to_rgb(others)])


def _or_white(image: NDArray[Any]) -> NDArray[Any]:
    import numpy as np

    return np.where(np.isfinite(image), np.clip(image, 0, 1), 1.0)


def _marked(picture: NDArray[Any], points: NDArray[Any]) -> NDArray[Any]:
    """The picture, pale, with a square around each point."""
    import numpy as np
    from matplotlib.colors import to_rgb

    marked = 0.5 + 0.5 * picture
    for number, (x, y) in enumerate(points[:, :2]):
        if np.isfinite(x):
            row, column = int(np.clip(y, 0, len(picture) - 1)), int(np.clip(x, 0, picture.shape[1] - 1))
            rows, columns = slice(max(row - 1, 0), row + 2), slice(max(column - 1, 0), column + 2)
            marked[rows, columns] = to_rgb(COLOURS[number % len(COLOURS)])
    return marked


def _title(name: str, inches: float) -> str:
    return plain(folded(name, int(inches / CHARACTER)))
