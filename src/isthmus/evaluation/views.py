"""What the report shows of a network: embeddings before and after training, and sample predictions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from isthmus.data.inputs import ImageInput
from isthmus.data.problems import Problem
from isthmus.data.samples import Samples, in_order
from isthmus.data.splits import shuffled
from isthmus.data.tasks import Labels
from isthmus.evaluation.inference import RESULT, features, infer
from isthmus.nn.classifiers import Classifier

if TYPE_CHECKING:
    import numpy as np

POINTS, PICTURES, COMPONENTS = 250, 24, 50


class Views:
    """The same samples of a problem, looked at before and after training.

    Args:
        problem: source samples, and exam samples (the target's own without an exam) are picked from it.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        shown = problem.exam or problem.target
        self.target: Samples = shown.samples
        self.source_indices = shuffled(len(problem.source.samples))[:POINTS]
        self.target_indices = shuffled(len(self.target))[:POINTS]
        self.source_labels = _labels(problem.source.labels, self.source_indices)
        self.target_labels = _labels(shown.labels, self.target_indices)

    def embed(self, network: Classifier) -> dict[str, np.ndarray]:
        """Features of both domains reduced by one common PCA, `source` and `target`: (points, ≤ 50) float32 each."""
        from sklearn.decomposition import PCA

        found = [
            features(network, samples, self.problem.input, indices=indices).flatten(1)
            for samples, indices in (
                (self.problem.source.samples, self.source_indices),
                (self.target, self.target_indices),
            )
        ]
        together = torch.cat(found).numpy()
        reduced = PCA(min(COMPONENTS, *together.shape), random_state=0).fit_transform(together).astype("float32")
        return {"source": reduced[: len(found[0])], "target": reduced[len(found[0]) :]}

    def write(self, path: Path, before: dict[str, np.ndarray], network: Classifier) -> None:
        """Write the embeddings `before` training and now, their labels (−1 where unknown) and sample predictions."""
        arrays = {f"{domain}_before": points for domain, points in before.items()}
        arrays |= {f"{domain}_after": points for domain, points in self.embed(network).items()}
        arrays |= {"source_labels": self.source_labels.numpy(), "target_labels": self.target_labels.numpy()}
        arrays |= self.predictions(network)
        write_arrays(path, arrays)

    def predictions(self, network: Classifier) -> dict[str, np.ndarray]:
        """Pictures (m, height, width, 3) uint8, with true labels (−1 where unknown) and class probabilities."""
        indices = self.target_indices[:PICTURES]
        logits = infer(network, self.target, self.problem.input, indices=indices)[RESULT]
        pictures = torch.zeros(0, 1, 1, 3, dtype=torch.uint8)
        if isinstance(self.problem.input, ImageInput):
            stored = torch.cat([part for _, part in in_order(self.target, indices)])
            pictures = self.problem.input.picture(stored)
        return {
            "pictures": pictures.numpy(),
            "picture_labels": self.target_labels[:PICTURES].numpy(),
            "picture_probabilities": logits.softmax(dim=1).numpy(),
        }


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write named arrays, none of which holds objects."""
    import numpy as np

    with path.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def _labels(labels: Labels | None, indices: Tensor) -> Tensor:
    return torch.full_like(indices, -1) if labels is None else labels.values[indices]
