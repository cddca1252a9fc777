"""Completed and generated images in the report: for each domain what was given, and what every method made of it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from isthmus.names import MADE
from isthmus.report.figures import INK, WIDTH, plain, svg
from isthmus.report.results import read_arrays

if TYPE_CHECKING:
    from numpy.typing import NDArray

IMAGE_VIEWS = "image_views.npz"


def read_image_views(folder: Path) -> dict[str, NDArray[Any]]:
    """Pictures (domains, pictures, height, width, 3) of the run in `folder`, by title; nothing if it kept none.

    Raises:
        RunFolderError: the file is unreadable.
    """
    return read_arrays(folder / IMAGE_VIEWS)


def image_grid(views: dict[str, dict[str, NDArray[Any]]], domain: int) -> str:
    """A row for everything given and one for each method, a column for each picture.

    Args:
        views: by method.
        domain: its number.
    """
    from matplotlib.figure import Figure

    given = {title: images for title, images in next(iter(views.values())).items() if title != MADE}
    rows = given | {method: own[MADE] for method, own in views.items()}
    columns = next(iter(rows.values())).shape[1]
    side = WIDTH / (columns + 2)
    figure = Figure(figsize=(WIDTH, side * len(rows)), layout="constrained")
    axes = figure.subplots(len(rows), columns, squeeze=False)
    for row, (title, images) in zip(axes, rows.items()):
        for panel, image in zip(row, images[domain]):
            panel.imshow(image, interpolation="nearest")
            panel.set(xticks=[], yticks=[])
            panel.spines[:].set_visible(False)
        label = plain(title).replace("_", " ").replace(":", "\n:")
        row[0].set_ylabel(label, fontsize=9, color=INK, rotation=0, ha="right", va="center")
    return svg(figure)
