"""The networks that a problem names, freshly built."""

from __future__ import annotations

from isthmus.data.problems import Problem
from isthmus.data.tasks import Setting
from isthmus.errors import OptionError
from isthmus.methods.learners import DomainNetwork
from isthmus.methods.side_by_side import DomainNetworks
from isthmus.nn.backbones import build_backbone
from isthmus.nn.image_networks import build_image_network
from isthmus.nn.pyramids import Pyramid, build_pyramid


def backbone_for(problem: Problem) -> Pyramid | DomainNetworks:
    """A fresh backbone of the problem's kind, for its inputs, with batch norm and frozen stages as in its recipe.

    Of a problem of pixel-wise tasks, an encoder with four feature maps; where images are completed or generated, all
    the networks of a domain. Of a problem that names several backbones, that of each domain; a name stands for one.
    """
    recipe = problem.recipe
    if problem.setting is Setting.ASSISTED:
        if recipe.frozen_stages:
            raise OptionError(f"Expected `frozen_stages` 0 with pixel-wise tasks, but got {recipe.frozen_stages}.")
        return build_pyramid(problem.backbone, problem.input.shape, batch_norm=recipe.batch_norm)
    built = {name: _network_for(problem, name) for name in dict.fromkeys(problem.built_on)}
    return tuple(built[name] for name in problem.backbones) or built[problem.backbone]


def _network_for(problem: Problem, name: str) -> DomainNetwork:
    """A domain's network, by name."""
    recipe, shape = problem.recipe, problem.input.shape
    if problem.image_task is None:
        return build_backbone(name, shape, batch_norm=recipe.batch_norm, frozen_stages=recipe.frozen_stages)
    if recipe.frozen_stages or recipe.batch_norm != "separate":
        raise OptionError(
            f"Expected `frozen_stages` 0 and `batch_norm` separate where images are completed or generated, but got "
            f"{recipe.frozen_stages} and {recipe.batch_norm}."
        )
    return build_image_network(name, shape)
