"""Joint training by hand: the first layers are one and the same for all domains, the others apart."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn
from torch.nn.functional import cross_entropy

from isthmus.data.batches import JointBatch
from isthmus.data.tasks import Classification
from isthmus.errors import OptionError
from isthmus.methods.base import Update
from isthmus.methods.side_by_side import Backbones, SideBySide, images_and_labels, one_architecture
from isthmus.nn.backbones.base import Backbone
from isthmus.nn.batch_norm import batch_norms

COMMON = "common"
"""The group of what all domains share."""


class HardSharing(SideBySide):
    r"""Supervised training of a network for each domain, whose first layers are all domains' in common.

    $$\min \sum_i f_i(\theta^1, \dots, \theta^k, \theta_i^{k+1}, \dots, \theta_i^L)$$

    With `shared=0` each domain is learned in isolation; with 1 one backbone serves all, with a classifier for each. In
    between these are the baselines that the paper calls L2Reg (25 %) and L2Reg (50 %). A layer is a module with
    parameters of its own, in order of registration; a batch norm goes with the layer before it and is not counted.
    Running statistics are each domain's own. Domains take turns batch by batch.

    Source: Zhang et al., "Joint learning of neural networks via iterative reweighted least squares", 2019, section 5,
    the baselines.

    Args:
        backbone: copied for each domain; or one for each, if nothing is shared.
        tasks: of the domains, in order.
        shared: part of the backbone's layers that is shared.
    """

    turns = "batch"

    def __init__(self, backbone: Backbones, *tasks: Classification, shared: float) -> None:
        super().__init__(one_architecture(backbone) if shared else backbone, tasks)
        if not 0 <= shared <= 1:
            raise OptionError(f"Expected `shared` from 0 to 1, but got {shared}.")
        common: list[nn.Parameter] = []
        for name in first_layers(self.backbone, shared):
            for parameter_name, parameter in self.backbone.get_submodule(name).named_parameters(recurse=False):
                common.append(parameter)
                for other in self.backbones()[1:]:
                    setattr(other.get_submodule(name), parameter_name, parameter)
        shared_ones = set(common)
        parts = {COMMON: common}
        for name, group in super().groups().items():
            parts[name] = [parameter for parameter in group.parameters() if parameter not in shared_ones]
        trained = {name: [p for p in parameters if p.requires_grad] for name, parameters in parts.items()}
        self.parts: dict[str, nn.Module] = {name: nn.ParameterList(those) for name, those in trained.items() if those}

    def groups(self) -> dict[str, nn.Module]:
        """What is shared is one group, with one optimiser; the others hold what is left of each domain's network."""
        return self.parts

    def steps(self, batch: JointBatch, progress: float) -> Iterator[Update]:
        images, labels = images_and_labels(batch)
        backbone, head = self.network(batch.domain)
        task = cross_entropy(head(backbone(images)), labels)
        on = tuple(name for name in (COMMON, *self.group_names(batch.domain)) if name in self.parts)
        yield Update(task, on=on, log={"task": task})


def first_layers(backbone: Backbone, share: float) -> list[str]:
    """Names of the modules that make up the first layers, with the batch norms that follow them."""
    norms = set(batch_norms(backbone))
    modules = {name: m for name, m in backbone.named_modules() if next(m.parameters(recurse=False), None) is not None}
    left = round(share * sum(module not in norms for module in modules.values()))
    names = []
    for name, module in modules.items():
        left -= module not in norms
        if left < 0:
            break
        names.append(name)
    return names
