"""The report: one HTML file that needs nothing else."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isthmus.errors import RunFolderError
from isthmus.files import replacing
from isthmus.progress import waiting
from isthmus.report.categories import cost_plot, nearest
from isthmus.report.embeddings import SOURCE, TARGET, class_colour, embedding_plot
from isthmus.report.figures import learning_curves, loss_curves, method_styles, score_plot
from isthmus.report.images import image_grid, read_image_views
from isthmus.report.metrics import heading, metric_names, metric_rows
from isthmus.report.names import pieces
from isthmus.report.pixelwise import feature_plot, prediction_grid, read_dense_views
from isthmus.report.results import (
    REPORT,
    ProblemRecord,
    Results,
    RunRecord,
    Views,
    by_method,
    read_findings,
    read_history,
    read_results,
    read_views,
)
from isthmus.report.sharing import Sharing, course_plot, network_plot, weights_plot
from isthmus.report.tables import baseline_of, caption, cells, headings, score_rows
from isthmus.report.units import unit_of
from isthmus.report.verdict import verdict

if TYPE_CHECKING:
    from numpy.typing import NDArray

PICTURES = 16
PICTURE_SIDE = 112


@dataclass(frozen=True)
class Prediction:
    """A picture with what a method says it shows; `truth` is None where it is unknown."""

    picture: str
    predicted: str
    probability: float
    truth: str | None

    @property
    def verdict(self) -> str:
        """`right`, `wrong` or `unknown`."""
        return "unknown" if self.truth is None else "right" if self.truth == self.predicted else "wrong"


@dataclass(frozen=True)
class Finding:
    """What a diagnostic says about a method, and the seeds it says it of."""

    method: str
    message: str
    seeds: list[int]

    @property
    def of(self) -> str:
        """The method with its seeds."""
        return f"{self.method} (seed{'s' if len(self.seeds) > 1 else ''} {', '.join(map(str, self.seeds))})"


@dataclass(frozen=True)
class Categories:
    """The costs between the classes of two domains, drawn, and the nearest source classes of each target class."""

    method: str
    plot: str
    nearest: list[tuple[str, list[tuple[str, float]]]]


@dataclass(frozen=True)
class SharedLayers:
    """Which layers the domains share: the graphs, the weights by weighting, and the course of training, drawn."""

    method: str
    summary: str
    layers: Sequence[str]
    networks: str
    weights: str
    course: str


@waiting("Drawing the report …")
def write_report(folder: Path) -> Path:
    """Write `report.html` into an output folder, from the results and runs in it.

    Returns:
        The report's path. A report that was there is replaced only when the new one is complete.

    Raises:
        RunFolderError: the folder's results, or the files of a run in it, are missing or unreadable, or there is no
            space or no permission to write.
    """
    page = _render(folder, read_results(folder))
    path = folder / REPORT
    try:
        with replacing(path) as part:
            part.write_text(page, encoding="utf-8")
    except OSError as error:
        raise RunFolderError(f"Could not write {path}: {error}. All results in {folder} are intact.") from error
    return path


def findings(runs: list[RunRecord]) -> list[Finding]:
    """The diagnostics that have something to say, each once per method."""
    found: dict[tuple[str, str], list[int]] = {}
    for run in runs:
        for entry in run["diagnostics"]:
            if entry["message"]:
                found.setdefault((run["method"], entry["message"]), []).append(run["seed"])
    return [Finding(method, message, seeds) for (method, message), seeds in found.items()]


def predictions(views: Views, classes: list[str]) -> list[Prediction]:
    """The first pictures and what is predicted for them."""
    best = views.picture_probabilities.argmax(axis=1) if len(views.pictures) else []
    return [
        Prediction(
            picture=_picture(views.pictures[i]),
            predicted=classes[int(best[i])],
            probability=float(views.picture_probabilities[i, best[i]]),
            truth=None if views.picture_labels[i] < 0 else classes[int(views.picture_labels[i])],
        )
        for i in range(min(PICTURES, len(views.pictures)))
    ]


def _render(folder: Path, results: Results) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    problem, groups = results["problem"], by_method(results["runs"])
    styles = method_styles(groups, baseline_of(results))
    histories = {method: [read_history(folder / run["folder"]) for run in runs] for method, runs in groups.items()}
    # Features and pictures are shown of each method's first seed.
    views = {method: read_views(folder / runs[0]["folder"]) for method, runs in groups.items()}
    shown = {method: view for method, view in views.items() if view is not None}
    samples = {method: predictions(view, problem["classes"]) for method, view in shown.items()}
    curves = learning_curves(histories, results["runs"][0]["metric"], unit_of(results), styles)
    found = {method: read_dense_views(folder / runs[0]["folder"]) for method, runs in groups.items()}
    dense = {method: view for method, view in found.items() if view}
    pictured = {method: read_image_views(folder / runs[0]["folder"]) for method, runs in groups.items()}
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["breakable"] = lambda name: Markup("<wbr>").join(pieces(name))
    return environment.get_template("report.html.jinja").render(
        results=results,
        problem=problem,
        classes=_classes(problem),
        verdict=verdict(results),
        findings=findings(results["runs"]),
        headings=headings(results),
        rows=[(row, cells(results, row)) for row in score_rows(results)],
        caption=caption(results),
        scores=None if problem["exam"] is None else _data(score_plot(results, styles)),
        curves=curves and _data(curves),
        losses=_data(loss_curves(histories)),
        embeddings=_embeddings(shown, problem),
        categories=_categories(folder, groups, problem),
        sharing=_sharing(folder, results, groups),
        samples={method: found for method, found in samples.items() if found},
        metrics=[heading(results, name) for name in metric_names(results)],
        metric_rows=metric_rows(results),
        grids={task: _data(prediction_grid(dense, task)) for task in _shown_tasks(dense)},
        image_grids=_image_grids({method: view for method, view in pictured.items() if view}, problem),
        dense_features=_data(feature_plot(dense)) if dense else None,
        styles=styles,
        domain_colours=(SOURCE, TARGET),
        class_colour=class_colour,
    )


def _classes(problem: ProblemRecord) -> dict[str, list[str]]:
    """The classes, of each domain where several are measured; none of pixel-wise tasks."""
    if problem["setting"] == "assisted":
        return {}
    if problem["setting"] != "joint":
        return {"Classes": problem["classes"]}
    return {f"Classes of {domain['name']}": domain["classes"] for domain in problem["domains"] if domain["classes"]}


def _shown_tasks(dense: dict[str, dict[str, NDArray[Any]]]) -> list[str]:
    """The tasks that some method has predicted, in order."""
    names = dict.fromkeys(name for arrays in dense.values() for name in arrays)
    return [name.removeprefix("predicted_") for name in names if name.startswith("predicted_")]


def _image_grids(views: dict[str, dict[str, NDArray[Any]]], problem: ProblemRecord) -> dict[str, str]:
    """Completed or generated images of each domain."""
    domains = [domain["name"] for domain in problem["domains"]] if views else []
    return {name: _data(image_grid(views, place)) for place, name in enumerate(domains)}


def _embeddings(views: dict[str, Views], problem: ProblemRecord) -> dict[str, str]:
    plots: dict[str, str] = {}
    for method, view in views.items():
        # Classes of the source that are not the problem's have no colour of their own.
        known = problem["domains"][0].get("classes", problem["classes"]) == problem["classes"]
        labels = view.source_labels if known else 0 * view.source_labels - 1, view.target_labels
        if not plots:
            plots["before training"] = _data(embedding_plot(view.source_before, view.target_before, *labels))
        plots[f"after {method}"] = _data(embedding_plot(view.source_after, view.target_after, *labels))
    return plots


def _categories(folder: Path, groups: dict[str, list[RunRecord]], problem: ProblemRecord) -> list[Categories]:
    """The cost matrices of the methods that have one, of each method's first seed."""
    found = []
    for method, runs in groups.items():
        costs = read_findings(folder / runs[0]["folder"]).get("category_costs")
        if costs is not None:
            names = problem["domains"][0]["classes"], problem["domains"][1]["classes"]
            found.append(Categories(method, _data(cost_plot(costs, *names)), nearest(costs, *names)))
    return found


def _sharing(folder: Path, results: Results, groups: dict[str, list[RunRecord]]) -> list[SharedLayers]:
    """Which layers the domains share, of the methods that found that, of each method's first seed."""
    domains = [domain["name"] for domain in results["problem"]["domains"]]
    found = []
    for method, runs in groups.items():
        place = folder / runs[0]["folder"]
        if sharing := Sharing.read(read_findings(place), domains):
            course = course_plot(sharing, read_history(place), runs[0]["metric"], unit_of(results))
            plots = network_plot(sharing), weights_plot(sharing), course
            found.append(SharedLayers(method, sharing.summary(), sharing.layers, *map(_data, plots)))
    return found


def _data(svg: str) -> str:
    """An SVG as an image's address: its identifiers cannot meet those of another."""
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


def _picture(pixels: NDArray[Any]) -> str:
    import io

    from PIL import Image

    image: Image.Image = Image.fromarray(pixels)
    image.thumbnail((PICTURE_SIDE, PICTURE_SIDE))
    # Whole times larger, so that the pixels of a small picture stay sharp.
    times = PICTURE_SIDE // max(image.size)
    image = image.resize((times * image.width, times * image.height), Image.Resampling.NEAREST)
    content = io.BytesIO()
    image.save(content, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(content.getvalue()).decode()
