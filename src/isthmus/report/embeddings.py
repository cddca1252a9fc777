"""The samples' features in the plane, by t-SNE, coloured by domain and by class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from isthmus.report.figures import COLOURS, GREY, RULE, svg

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHOWN = 200
SOURCE, TARGET = COLOURS[0], COLOURS[1]
# Tol's muted colours, safe with colour blindness; more classes than these repeat them.
CLASS_COLOURS = (
    "#332288", "#DDCC77", "#117733", "#CC6677", "#88CCEE", "#AA4499", "#44AA99", "#999933", "#882255", "#661100",
)  # fmt: skip


def class_colour(label: int) -> str:
    """The colour of a class; grey for -1, unknown."""
    return GREY if label < 0 else CLASS_COLOURS[label % len(CLASS_COLOURS)]


def embedding_plot(
    source: NDArray[Any], target: NDArray[Any], source_labels: NDArray[Any], target_labels: NDArray[Any]
) -> str:
    """Two panels of the same points, at most 200 of each domain: above by domain, below by class.

    Args:
        source: features (n, width).
        target: features (m, width).
        source_labels: classes (n), -1 for unknown.
        target_labels: classes (m), -1 for unknown.
    """
    import numpy as np
    from matplotlib.figure import Figure

    some_s, some_t = _sample(len(source)), _sample(len(target))
    points = tsne(np.concatenate([source[some_s], target[some_t]]).astype(np.float64))
    points_s, points_t = points[: len(some_s)], points[len(some_s) :]

    figure = Figure(figsize=(2.9, 5.9), layout="constrained")
    by_domain, by_class = figure.subplots(2, 1)
    colours_s, colours_t = (
        [class_colour(label) for label in labels.tolist()] for labels in (source_labels[some_s], target_labels[some_t])
    )
    for axes, colours in ((by_domain, (SOURCE, TARGET)), (by_class, (colours_s, colours_t))):
        for part, marker, colour in zip((points_s, points_t), ("o", "^"), colours):
            axes.scatter(*part.T, c=colour, marker=marker, s=13, alpha=0.75, linewidths=0, rasterized=True)
        axes.set(xticks=[], yticks=[])
        axes.margins(0.04)
        axes.spines[:].set_color(RULE)
    return svg(figure)


def tsne(features: NDArray[Any]) -> NDArray[Any]:
    """Coordinates (n, 2) of features (n, width); the same for the same features."""
    import numpy as np
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    if len(features) < 4 or np.allclose(features, features[:1]):
        return np.pad(features, ((0, 0), (0, 2)))[:, :2]
    # The start from principal components needs two of them.
    features = np.pad(features, ((0, 0), (0, 1))) if features.shape[1] == 1 else features
    perplexity = min(30.0, (len(features) - 1) / 3)
    # Its threads meet after every small step: on busy cores several of them are many times slower than one.
    with threadpool_limits(limits=1):
        return TSNE(perplexity=perplexity, init="pca", random_state=0).fit_transform(features)  # type: ignore[no-any-return]


def _sample(count: int) -> NDArray[Any]:
    import numpy as np

    return np.sort(np.random.default_rng(0).permutation(count)[:SHOWN])
