"""What the report shows of a network for pixel-wise tasks: predictions beside the truth, and features by depth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from isthmus.data.inputs import ImageInput
from isthmus.data.problems import Problem
from isthmus.data.samples import Samples, Subset
from isthmus.data.splits import shuffled
from isthmus.evaluation.dense import dense_outputs, predicted
from isthmus.evaluation.views import write_arrays
from isthmus.nn.dense import DenseNetwork

if TYPE_CHECKING:
    import numpy as np

PICTURES, POINTS = 6, 150
DEPTHS = ("layer-2", "layer-4", "up-2", "up-3")
"""Where features are looked at."""


class DenseViews:
    """The same samples of a problem for every method.

    Args:
        problem: exam samples are shown with their truth (the target's own without an exam), features of both domains.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        shown = problem.exam or problem.target
        self.indices = shuffled(len(shown.samples))[:PICTURES]
        self.samples = Subset(shown.samples, self.indices)
        self.truth = shown.pixels

    def write(self, path: Path, network: DenseNetwork) -> None:
        """Write `picture`, `truth_TASK` and `predicted_TASK`, and `features_DEPTH_DOMAIN` (points, 2)."""
        write_arrays(path, {**self._pictures(network), **self._features(network)})

    def _pictures(self, network: DenseNetwork) -> dict[str, np.ndarray[Any, Any]]:
        input = self.problem.input
        assert isinstance(input, ImageInput)  # as problems of pixel-wise tasks have
        stored = self.samples.read(torch.arange(len(self.samples)), torch.Generator())
        arrays: dict[str, Tensor] = {"picture": input.picture(stored)}
        ((_, dense),) = dense_outputs(network, self.samples, input)
        for task in self.problem.tasks.every:
            if task.name in network.maps:
                arrays[f"predicted_{task.name}"] = predicted(task, dense, (input.size, input.size))
            if self.truth is not None and task in self.truth.tasks:
                arrays[f"truth_{task.name}"] = self.truth.values[task][self.indices]
        return {name: values.numpy() for name, values in arrays.items()}

    def _features(self, network: DenseNetwork) -> dict[str, np.ndarray[Any, Any]]:
        """Mean features of images at each depth, both domains reduced by one common PCA."""
        from sklearn.decomposition import PCA

        domains = {"source": self.problem.source.samples, "target": self.problem.target.samples}
        found = {domain: self._means(network, samples) for domain, samples in domains.items()}
        arrays: dict[str, np.ndarray[Any, Any]] = {}
        for depth in DEPTHS:
            both = torch.cat([found["source"][depth], found["target"][depth]]).numpy()
            reduced = PCA(2, random_state=0).fit_transform(both).astype("float32")
            first = len(found["source"][depth])
            arrays |= {f"features_{depth}_source": reduced[:first], f"features_{depth}_target": reduced[first:]}
        return arrays

    def _means(self, network: DenseNetwork, samples: Samples) -> dict[str, Tensor]:
        chosen = Subset(samples, shuffled(len(samples))[:POINTS])
        parts: dict[str, list[Tensor]] = {depth: [] for depth in DEPTHS}
        for _, dense in dense_outputs(network, chosen, self.problem.input):
            for depth in DEPTHS:
                parts[depth].append(dense.features[depth].float().mean(dim=(2, 3)).cpu())
        return {depth: torch.cat(found) for depth, found in parts.items()}
