"""Joint training by hand: the first layers are one and the same for all domains, the others apart."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from isthmus.data.tasks import DomainTask
from isthmus.errors import OptionError
from isthmus.methods.side_by_side import DomainNetworks, SideBySide, one_architecture
from isthmus.nn.batch_norm import batch_norms


class HardSharing(SideBySide):
    r"""A network for each domain, each trained on its own task; their first layers are all domains' in common.

    $$\min \sum_i f_i(\theta^1, \dots, \theta^k, \theta_i^{k+1}, \dots, \theta_i^L)$$

    With `shared=0` each domain is learned in isolation; with 1 the matched networks are one for all, and there is a
    classifier for each label space: domains of the same classes have one in common. In between are the baselines that
    the paper calls L2Reg (25 %) and L2Reg (50 %). A layer is a module with parameters of its own, in order of
    registration; a batch norm goes with the layer before it and is not counted. Of a generator and a discriminator each
    has its own first layers.
    Running statistics are each domain's own. Domains take turns batch by batch.

    Source: Zhang et al., "Joint learning of neural networks via iterative reweighted least squares", 2019, section 5,
    the baselines.

    Args:
        network: copied for each domain; or one for each, if nothing is shared.
        tasks: of the domains, in order.
        shared: part of each matched network's layers that is shared.
    """

    turns = "batch"

    def __init__(self, network: DomainNetworks, *tasks: DomainTask, shared: float) -> None:
        super().__init__(one_architecture(network) if shared else network, tasks)
        if not 0 <= shared <= 1:
            raise OptionError(f"Expected `shared` from 0 to 1, but got {shared}.")
        parts = {f"common_{name}": self._tie(name, shared) for name in self.matched}
        if shared == 1:
            self._tie_classifiers()
        owner = {parameter: name for name, common in parts.items() for parameter in common}
        for name, group in super().groups().items():
            parts[name] = [parameter for parameter in group.parameters() if parameter not in owner]
            owner |= dict.fromkeys(parts[name], name)
        trained = {name: [p for p in parameters if p.requires_grad] for name, parameters in parts.items()}
        self.parts: dict[str, nn.Module] = {name: nn.ParameterList(those) for name, those in trained.items() if those}
        self.owners = [
            {name: tuple(dict.fromkeys(owner[p] for p in group.parameters() if p.requires_grad)) for name, group in own}
            for own in (self.learner(place).named_children() for place in range(self.domains))
        ]

    def groups(self) -> dict[str, nn.Module]:
        """What is shared of a matched group is one group, with one optimiser; the others hold what is left."""
        return self.parts

    def names(self, place: int) -> Mapping[str, tuple[str, ...]]:
        return self.owners[place]

    def _tie_classifiers(self) -> None:
        """Let domains of the same classes have one and the same."""
        for place in range(self.domains):
            for name in self.learner(place).labelled:
                one = self.learner(self.first_with(place, name)).get_submodule(name)
                setattr(self.learner(place), name, one)

    def _tie(self, name: str, share: float) -> list[nn.Parameter]:
        """Make the first layers of a matched group one and the same in all domains; their parameters."""
        first, *others = (self.learner(place).get_submodule(name) for place in range(self.domains))
        common: list[nn.Parameter] = []
        for layer in first_layers(first, share):
            for parameter_name, parameter in first.get_submodule(layer).named_parameters(recurse=False):
                common.append(parameter)
                for other in others:
                    setattr(other.get_submodule(layer), parameter_name, parameter)
        return common


def first_layers(network: nn.Module, share: float) -> list[str]:
    """Names of the modules that make up the first layers, with the batch norms that follow them."""
    norms = set(batch_norms(network))
    modules = {name: m for name, m in network.named_modules() if next(m.parameters(recurse=False), None) is not None}
    left = round(share * sum(module not in norms for module in modules.values()))
    names: list[str] = []
    if left == 0:
        return names  # nor a batch norm that stands before the first layer
    for name, module in modules.items():
        left -= module not in norms
        if left < 0:
            break
        names.append(name)
    return names
