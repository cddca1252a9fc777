"""What a run leaves besides figures: saved models, what the report shows of the networks, and what training found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from torch import Tensor

from isthmus.data.inputs import ImageInput
from isthmus.data.problems import Domain, Problem
from isthmus.engine.checkpoints import write_atomically
from isthmus.evaluation.dense_models import DenseModel
from isthmus.evaluation.dense_views import DenseViews
from isthmus.evaluation.image_models import ImageModel
from isthmus.evaluation.image_views import write_image_views
from isthmus.evaluation.models import Model
from isthmus.evaluation.views import Views, write_arrays
from isthmus.methods.base import Method, Predictor
from isthmus.nn.classifiers import Classifier
from isthmus.nn.dense import DenseNetwork
from isthmus.report.images import IMAGE_VIEWS
from isthmus.report.pixelwise import DENSE_VIEWS
from isthmus.report.results import FINDINGS, VIEWS

if TYPE_CHECKING:
    import numpy as np

Network = TypeVar("Network", Classifier, DenseNetwork)


def model_of(
    network: Predictor, backbone: str, domain: Domain, problem: Problem, about: dict[str, Any]
) -> Model | DenseModel | ImageModel:
    """A network with all that prediction needs, of the kind that its task asks for.

    Args:
        network: of a domain that counts.
        backbone: the name that it was built by.
        domain: on which it was trained.
        problem: of that domain.
        about: what the model's description is to say of its training, besides whether the problem is built in.
    """
    about = about | {"built_in": problem.built_in}
    if isinstance(network, Classifier):
        task = domain.labels.task if domain.labels else problem.task
        return Model(network, backbone, task.classes, problem.input, about)
    assert isinstance(problem.input, ImageInput)  # as problems have whose networks give images or labels of pixels
    if isinstance(network, DenseNetwork):
        tasks = tuple(task for task in problem.tasks.every if task.name in network.maps)
        return DenseModel(network, backbone, tasks, problem.input, about)
    assert domain.task is not None  # as domains have whose networks give images
    return ImageModel(network, backbone, domain.task, problem.input, about)


class Shown:
    """What the report shows of a method's networks, looked at before training and after it.

    Args:
        method: before training.
        problem: whose samples it is looked at on.
    """

    def __init__(self, method: Method[Any], problem: Problem) -> None:
        self.problem = problem
        network = _only(Classifier, method.predictors())
        self.before: dict[str, np.ndarray] = Views(problem).embed(network) if network else {}

    def write(self, folder: Path, method: Method[Any]) -> None:
        """Write the arrays that the report draws, and what training found, into the run's folder."""
        problem, networks = self.problem, method.predictors()
        if classifier := _only(Classifier, networks):
            write_atomically(folder / VIEWS, lambda part: Views(problem).write(part, self.before, classifier))
        if dense := _only(DenseNetwork, networks):
            write_atomically(folder / DENSE_VIEWS, lambda part: DenseViews(problem).write(part, dense))
        if problem.predicted == "images":
            write_atomically(folder / IMAGE_VIEWS, lambda part: write_image_views(part, networks, problem))
        if findings := method.findings():
            write_atomically(folder / FINDINGS, lambda part: _write_findings(part, findings))


def _only(kind: type[Network], networks: Sequence[Predictor]) -> Network | None:
    """The one network, if it is of a kind."""
    first, *others = networks
    return first if isinstance(first, kind) and not others else None


def _write_findings(path: Path, findings: Mapping[str, Tensor | Sequence[str]]) -> None:
    import numpy as np

    arrays = {
        name: value.cpu().numpy() if isinstance(value, Tensor) else np.array(value) for name, value in findings.items()
    }
    write_arrays(path, arrays)
