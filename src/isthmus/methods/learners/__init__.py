"""What a domain's task asks of a method: the networks, and the updates that train them."""

from __future__ import annotations

from isthmus.data.tasks import Classification, Completion, DomainTask, Generation
from isthmus.errors import OptionError
from isthmus.methods.learners.base import Learner as Learner
from isthmus.nn.autoencoder import AutoEncoder
from isthmus.nn.backbones.base import Backbone, WithNeck
from isthmus.nn.gans import BEGAN, DCGAN

DomainNetwork = Backbone | AutoEncoder | DCGAN | BEGAN
"""What a problem names as its backbone: of classifiers, or all that the task needs."""


def learner_for(network: DomainNetwork, task: DomainTask) -> Learner:
    """What learns a domain's task with a network.

    Raises:
        OptionError: the network is none for the task.
    """
    from isthmus.methods.learners.classification import ClassificationLearner
    from isthmus.methods.learners.completion import CompletionLearner
    from isthmus.methods.learners.generation import BEGANLearner, DCGANLearner

    if isinstance(task, Classification) and isinstance(network, Backbone):
        return ClassificationLearner(WithNeck(network), task)
    if isinstance(task, Completion) and isinstance(network, AutoEncoder):
        return CompletionLearner(network)
    if isinstance(task, Generation) and isinstance(network, DCGAN):
        return DCGANLearner(network)
    if isinstance(task, Generation) and isinstance(network, BEGAN):
        return BEGANLearner(network)
    raise OptionError(
        f"Expected a network for {type(task).__name__.lower()}, but got `{type(network).__name__}`. "
        f"Use a backbone for classification, `autoencoder` for completion, `dcgan` or `began` for generation."
    )
