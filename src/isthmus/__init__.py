"""Joint transfer learning: train on several domains together so that the one with few labels or none gains.

>>> import isthmus
>>> isthmus.Recipe(epochs=5).epochs
5
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from isthmus.version import __version__ as __version__

if TYPE_CHECKING:
    from isthmus.data.benchmarks import load_problem as load_problem
    from isthmus.data.pixelwise import PixelLabels as PixelLabels
    from isthmus.data.problems import Domain as Domain
    from isthmus.data.problems import Exam as Exam
    from isthmus.data.problems import Problem as Problem
    from isthmus.data.readers.arrays import array_problem as array_problem
    from isthmus.data.readers.datasets import dataset_problem as dataset_problem
    from isthmus.data.readers.folders import folder_problem as folder_problem
    from isthmus.data.readers.joint_folders import joint_folder_problem as joint_folder_problem
    from isthmus.data.readers.problem_file import file_problem as file_problem
    from isthmus.data.recipes import Recipe as Recipe
    from isthmus.data.tasks import Classification as Classification
    from isthmus.data.tasks import Completion as Completion
    from isthmus.data.tasks import Generation as Generation
    from isthmus.data.tasks import Labels as Labels
    from isthmus.engine.hardware import Hardware as Hardware
    from isthmus.errors import IsthmusError as IsthmusError
    from isthmus.estimators import TransferClassifier as TransferClassifier
    from isthmus.evaluation.dense_models import DenseModel as DenseModel
    from isthmus.evaluation.dense_models import load_dense_model as load_dense  # noqa: F401
    from isthmus.evaluation.image_models import ImageModel as ImageModel
    from isthmus.evaluation.image_models import load_image_model as load_images  # noqa: F401
    from isthmus.evaluation.models import Model as Model
    from isthmus.evaluation.models import load_model as load  # noqa: F401
    from isthmus.experiments import Comparison as Comparison
    from isthmus.experiments import Reproduction as Reproduction
    from isthmus.experiments import Run as Run
    from isthmus.experiments import compare as compare
    from isthmus.experiments import fit as fit
    from isthmus.experiments import reproduce as reproduce
    from isthmus.methods import Method as Method
    from isthmus.methods import SingleBackbone as SingleBackbone
    from isthmus.methods import Stage as Stage
    from isthmus.methods import Update as Update
    from isthmus.methods import build_method as build_method
    from isthmus.methods import register as register
    from isthmus.nn.backbones import build_backbone as build_backbone

# Imported at first use: `import isthmus` costs next to nothing, and each part costs what it needs.
_PLACES = {
    "Classification": "data.tasks",
    "Comparison": "experiments",
    "Completion": "data.tasks",
    "DenseModel": "evaluation.dense_models",
    "Domain": "data.problems",
    "Exam": "data.problems",
    "Generation": "data.tasks",
    "Hardware": "engine.hardware",
    "ImageModel": "evaluation.image_models",
    "IsthmusError": "errors",
    "Labels": "data.tasks",
    "Method": "methods",
    "Model": "evaluation.models",
    "PixelLabels": "data.pixelwise",
    "Problem": "data.problems",
    "Recipe": "data.recipes",
    "Reproduction": "experiments",
    "Run": "experiments",
    "SingleBackbone": "methods",
    "Stage": "methods",
    "TransferClassifier": "estimators",
    "Update": "methods",
    "array_problem": "data.readers.arrays",
    "build_backbone": "nn.backbones",
    "build_method": "methods",
    "compare": "experiments",
    "dataset_problem": "data.readers.datasets",
    "file_problem": "data.readers.problem_file",
    "fit": "experiments",
    "folder_problem": "data.readers.folders",
    "joint_folder_problem": "data.readers.joint_folders",
    "load": "evaluation.models:load_model",
    "load_dense": "evaluation.dense_models:load_dense_model",
    "load_images": "evaluation.image_models:load_image_model",
    "load_problem": "data.benchmarks",
    "register": "methods",
    "reproduce": "experiments",
}

__all__ = [*_PLACES]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'isthmus' has no attribute '{name}'")
    module, _, attribute = _PLACES[name].partition(":")
    return getattr(importlib.import_module(f"isthmus.{module}"), attribute or name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_PLACES])
