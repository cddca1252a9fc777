"""The layers that several networks have in common: how far apart they are, and what draws them together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase
from itertools import combinations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from isthmus.errors import OptionError
from isthmus.functional.parameters import squared_distances, weighted_means
from isthmus.nn.pull import Pull

Means = Callable[[Sequence[tuple[Tensor, ...]], Tensor, Sequence[int]], list[list[Tensor]]]
"""Of the parameters of each network, and shares (means, n)."""


class MatchedLayers:
    r"""Networks side by side, matched layer by layer.

    A layer is one module with parameters of its own, weight and bias together. It takes part if at least two networks
    have it, under the same name, and all that have it agree on its shapes. So heads of label spaces of different size
    stand apart, and networks of different architectures are matched where they agree. Statistics of batch norms are no
    parameters and never take part. Their scale and shift do only if asked: they go with the statistics, and are what
    adapts a network to its domain. What is frozen, or one and the same in two networks, does not take part either.

    A block is two adjacent layers $\varphi^l = (\theta^l, \theta^{l+1})$ of those that two networks have in common, in
    the order of registration; a lone layer is a block by itself. Networks of several parts, as `ModuleDict`s, have no
    block that reaches from one part into another: a generator and a discriminator are no sequence. Source: "Joint
    learning of neural networks via iterative reweighted least squares", section 4.1.

    Args:
        networks: two or more.
        shared: patterns (`encoder.*`) of the names of layers that may take part.
        unshared: patterns of those that may not.
        batch_norm: let scale and shift of batch norms take part, each batch norm a layer.
        ends: add an empty layer before the first and after the last, so that these stand in two blocks like all others.

    Attributes:
        names: of the layers that take part.
        blocks: the layers of each block.
        present: which two networks have a block in common, (blocks, n, n).

    Raises:
        OptionError: nothing is in common, or a pattern fits no layer.
    """

    def __init__(
        self,
        networks: Sequence[nn.Module],
        *,
        shared: Sequence[str] = ("*",),
        unshared: Sequence[str] = (),
        batch_norm: bool = False,
        ends: bool = False,
    ) -> None:
        found = [_layers(network, batch_norm) for network in networks]
        everything = list(dict.fromkeys(name for layers in found for name in layers))
        _check_patterns([*shared, *unshared], everything)
        chosen = [name for name in everything if _fits(name, shared) and not _fits(name, unshared)]
        self.layers = {name: layer for name in chosen if (layer := _matched(name, found))}
        self.names = tuple(self.layers)
        if not self.names:
            raise OptionError(
                f"Expected networks with layers in common, but the {len(found)} given have none of the same name and "
                f"shapes among {', '.join(chosen) or 'those chosen'}. "
                "Choose others by `shared` and `unshared`, or networks that are more alike."
            )
        position = {name: index for index, name in enumerate(self.names)}
        order = [[position[name] for name in layers if name in position] for layers in found]
        pairs: dict[tuple[int | None, ...], list[tuple[int, int]]] = {}
        for i, j in combinations(range(len(found)), 2):
            theirs = set(order[j])
            both = [layer for layer in order[i] if layer in theirs]
            for part in _parts(networks[i], self.names, both):
                for block in _blocks(part, ends):
                    pairs.setdefault(block, []).append((i, j))
        self.present: Bool[Tensor, "blocks n n"] = torch.zeros(len(pairs), len(found), len(found), dtype=torch.bool)
        self.standing: Float[Tensor, "blocks layers"] = torch.zeros(len(pairs), len(self.names), dtype=torch.float64)
        for index, (block, having) in enumerate(pairs.items()):
            self.standing[index, [layer for layer in block if layer is not None]] = 1
            i_s, j_s = torch.tensor(having).T
            self.present[index, i_s, j_s] = self.present[index, j_s, i_s] = True
        self.blocks = tuple(tuple(self.names[layer] for layer in block if layer is not None) for block in pairs)

    @torch.no_grad()
    def squared_distances(self) -> Float[Tensor, "blocks n n"]:
        r"""$\lVert \varphi_i^l - \varphi_j^l \rVert^2$ in double precision; infinite where i and j share no such block.

        One Gram matrix a layer: every parameter is read once. On the CPU, whatever the networks are on.
        """
        n = self.present.shape[-1]
        per_layer = []
        for layer in self.layers.values():
            between = torch.zeros(n, n, dtype=torch.float64)
            holders = torch.tensor(list(layer))
            between[holders[:, None], holders] = squared_distances(list(layer.values()))
            per_layer.append(between)
        squared = torch.einsum("bl,lij->bij", self.standing, torch.stack(per_layer))
        apart = ~self.present & ~torch.eye(n, dtype=torch.bool)
        return squared.masked_fill(apart, torch.inf)

    def unit_weights(self) -> Float[Tensor, "blocks n n"]:
        """Weight 1 for every pair of networks in every block that they have in common."""
        return self.present.double()

    @torch.no_grad()
    def pulls(
        self,
        networks: Sequence[int],
        weights: Float[Tensor, "blocks n n"],
        trade_off: float = 1.0,
        means: Means = weighted_means,
    ) -> dict[int, Pull]:
        r"""What the other networks, as they are now, do to each of some.

        $$\lambda \sum_l c_i^l \lVert \theta_i^l - m_i^l \rVert^2, \qquad
        c_i^l = \sum_{B \ni l} \sum_{j \ne i} w_{ij}^B, \qquad
        m_i^l = \frac{1}{c_i^l} \sum_{B \ni l} \sum_{j \ne i} w_{ij}^B \theta_j^l$$

        Equal to the weighted squared distances up to a constant. One product of matrices a layer gives all means, so
        that every parameter is read once; what a pull then costs in a training step does not depend on the number of
        networks. For a single network, `running_means` cost less.

        Source: section 4.2.3.

        Args:
            networks: those that are pulled.
            weights: $w$ of every block and pair.
            trade_off: $\lambda$.
            means: how they are computed.
        """
        by_layer = torch.einsum("bl,bij->lij", self.standing, weights.to("cpu", torch.float64))
        parts: dict[int, tuple[list[Tensor], list[Tensor], list[float]]] = {i: ([], [], []) for i in networks}
        for layer, layer_weights in zip(self.layers.values(), by_layer):
            holders = list(layer)
            between = layer_weights[holders][:, holders].fill_diagonal_(0.0)
            strengths = between.sum(dim=1)
            drawn = [row for row, strength in enumerate(strengths.tolist()) if strength > 0]
            wanted = [place for place, row in enumerate(drawn) if holders[row] in parts]
            if not wanted:
                continue
            shares = between[drawn] / strengths[drawn, None]
            for place, mean in zip(wanted, means(list(layer.values()), shares, wanted)):
                row = drawn[place]
                own, to, by = parts[holders[row]]
                own += layer[holders[row]]
                to += mean
                by += [trade_off * float(strengths[row])] * len(mean)
        return {i: Pull(*part) for i, part in parts.items()}


@torch.no_grad()
def start_alike(networks: Sequence[nn.Module]) -> None:
    """Give networks of different architectures the same values in all parameters of the same name and shape.

    Else the hidden units of one stand in another order than the other's, and no layer of theirs could ever be matched.
    Those of a pretrained backbone stay as they are: they are worth more than the match.
    """
    known: dict[tuple[str, torch.Size], Tensor] = {}
    for network in networks:
        if not getattr(network, "pretrained", False):
            for name, parameter in network.named_parameters():
                parameter.copy_(known.setdefault((name, parameter.shape), parameter))


def _layers(network: nn.Module, batch_norm: bool) -> dict[str, tuple[nn.Parameter, ...]]:
    """Trained parameters by the module that owns them, in order of registration; tied ones where they come first."""
    seen: set[nn.Parameter] = set()
    layers = {}
    for name, module in network.named_modules():
        own = tuple(p for p in module.parameters(recurse=False) if p.requires_grad and p not in seen)
        seen.update(own)
        if own and (batch_norm or not isinstance(module, _BatchNorm)):
            layers[name] = own
    return layers


def _matched(
    name: str, found: Sequence[dict[str, tuple[nn.Parameter, ...]]]
) -> dict[int, tuple[nn.Parameter, ...]] | None:
    """The layer's parameters by network, or None where it cannot take part."""
    layer = {index: layers[name] for index, layers in enumerate(found) if name in layers}
    shapes = {tuple(parameter.shape for parameter in parameters) for parameters in layer.values()}
    distinct = {parameter for parameters in layer.values() for parameter in parameters}
    whole = len(distinct) == sum(map(len, layer.values()))
    return layer if len(layer) > 1 and len(shapes) == 1 and whole else None


def _parts(network: nn.Module, names: Sequence[str], layers: Sequence[int]) -> list[list[int]]:
    """Layers by the part of the network that they are in, in order."""
    if not isinstance(network, nn.ModuleDict):
        return [list(layers)]
    return [[layer for layer in layers if names[layer].partition(".")[0] == part] for part in network]


def _blocks(layers: Sequence[int], ends: bool) -> list[tuple[int | None, ...]]:
    """Pairs of neighbours; None stands for an empty layer."""
    row = [None, *layers, None] if ends and layers else list(layers)
    return list(zip(row, row[1:])) if len(row) > 1 else [(layer,) for layer in row]


def _fits(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _check_patterns(patterns: Sequence[str], names: Sequence[str]) -> None:
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise OptionError(
                f"Expected a pattern of names of layers, but {pattern!r} fits none of: {', '.join(names) or 'none'}."
            )
