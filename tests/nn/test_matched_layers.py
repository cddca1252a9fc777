"""Layers of several networks: distances, weighted means and pulls against loops, and clusters that are found."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from lightning.fabric import Fabric
from torch import Tensor, nn

from isthmus.data.recipes import Recipe
from isthmus.engine.stepping import Stepper
from isthmus.errors import OptionError
from isthmus.functional.parameters import running_means
from isthmus.functional.robust import irls_weights, scales
from isthmus.methods import Update
from isthmus.nn.matched_layers import MatchedLayers
from isthmus.nn.pull import Pull


def network(seed: int, classes: int = 3) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 2, 3),
        nn.BatchNorm2d(2),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(8, 4, bias=False),
        nn.Linear(4, classes),
    )


def moving(lr: float) -> Callable[[Tensor], float]:
    """What plain gradient descent makes of a constant gradient."""
    return lambda parameter: lr


def flat(layer: nn.Module) -> list[float]:
    return [value for parameter in layer.parameters() for value in parameter.flatten().tolist()]


def symmetric_weights(matched: MatchedLayers, seed: int = 0) -> Tensor:
    random = torch.rand(matched.present.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return (random + random.mT) * matched.present


@given(n=st.integers(2, 5), ends=st.booleans(), batch_norm=st.booleans())
def test_distances_and_means_equal_loops(n: int, ends: bool, batch_norm: bool) -> None:
    networks = [network(seed).double() for seed in range(n)]
    matched = MatchedLayers(networks, ends=ends, batch_norm=batch_norm)
    layers = ["0", "1", "4", "5"] if batch_norm else ["0", "4", "5"]
    blocks = list(zip(layers, layers[1:]))
    if ends:
        blocks = [(layers[0],), *blocks, (layers[-1],)]
    assert matched.names == tuple(layers)
    assert sorted(matched.blocks) == sorted(blocks)

    values = [{name: flat(net.get_submodule(name)) for name in layers} for net in networks]
    squared = matched.squared_distances()
    weights = symmetric_weights(matched)
    for index, block in enumerate(matched.blocks):
        for i in range(n):
            for j in range(n):
                expected = sum(math.dist(values[i][name], values[j][name]) ** 2 for name in block)
                assert squared[index, i, j].item() == pytest.approx(expected, rel=1e-12)

    for i in range(n):
        pull = matched.pulls([i], weights, trade_off=0.3)[i]
        assert len({id(p) for p in pull.parameters} & {id(p) for p in networks[i].parameters()}) == len(pull.parameters)
        loss = 0.0
        for name in layers:
            w = [
                sum(weights[b, i, j].item() for b, block in enumerate(matched.blocks) if name in block)
                for j in range(n)
            ]
            c = sum(w[j] for j in range(n) if j != i)
            mean = [sum(w[j] * values[j][name][k] for j in range(n) if j != i) / c for k in range(len(values[i][name]))]
            parameters = list(networks[i].get_submodule(name).parameters())
            found = [pull.means[next(k for k, q in enumerate(pull.parameters) if q is p)] for p in parameters]
            assert [x for m in found for x in m.flatten().tolist()] == pytest.approx(mean)
            loss += 0.3 * c * math.dist(values[i][name], mean) ** 2
        assert pull.loss().item() == pytest.approx(loss)


@pytest.mark.parametrize("ends", [False, True])
def test_no_block_reaches_from_one_part_into_another(ends: bool) -> None:
    networks = [nn.ModuleDict({"up": network(seed), "down": network(seed + 5)}) for seed in range(2)]
    matched = MatchedLayers(networks, ends=ends)
    alone = MatchedLayers([network(seed) for seed in range(2)], ends=ends)
    expected = [tuple(f"{part}.{layer}" for layer in block) for part in ("up", "down") for block in alone.blocks]
    assert list(matched.blocks) == expected


def test_a_part_of_a_pull_moves_what_it_is_of() -> None:
    parameters = [torch.zeros(2), torch.zeros(3), torch.zeros(1)]
    pull = Pull(parameters, [torch.ones(2), 2 * torch.ones(3), 3 * torch.ones(1)], [0.5, 1.0, 2.0])
    part = pull.of([parameters[2], torch.zeros(3), parameters[0]])
    part.step(moving(1.0))
    assert [parameter.tolist() for parameter in parameters] == [[0.5, 0.5], [0.0] * 3, [pytest.approx(12 / 5)]]
    assert part.loss().item() == pytest.approx(0.5 * 2 * 0.5**2 + 2.0 * 0.6**2)
    pull.of([]).step(moving(1.0))


def test_pulls_over_several_chunks_are_the_written_out_means() -> None:
    """One of them, whose weights are zero, is tied to no other."""
    torch.manual_seed(0)
    wide = [nn.Sequential(nn.Linear(90, 100), nn.Linear(100, 2)) for _ in range(3)]
    networks = [*wide, nn.Sequential(nn.Linear(90, 100)), nn.Sequential(nn.Linear(90, 100))]
    matched = MatchedLayers([net.double() for net in networks])
    weights = symmetric_weights(matched)
    weights[:, 4] = weights[:, :, 4] = 0
    pulls = matched.pulls([0, 3, 4], weights, trade_off=0.3)
    assert list(pulls) == [0, 3, 4]
    assert pulls[4].parameters == []
    own = [networks[0][0].weight, networks[0][0].bias, networks[0][1].weight, networks[0][1].bias]
    assert [id(p) for p in pulls[0].parameters] == [id(p) for p in own]
    both, first = matched.blocks.index(("0", "1")), matched.blocks.index(("0",))
    w = {j: weights[both, 0, j] + weights[first, 0, j] for j in (1, 2, 3)}
    mean = sum(w[j] * networks[j][0].weight for j in w) / sum(w.values())
    torch.testing.assert_close(pulls[0].means[0], mean.detach(), rtol=1e-12, atol=1e-14)
    assert pulls[0].strengths[0] == pytest.approx(0.3 * float(sum(w.values())))


@pytest.mark.parametrize("ends", [False, True])
def test_pulls_of_all_at_once_are_those_of_each(ends: bool) -> None:
    """With networks that have not all the same layers, one of them tied to no other, over several chunks."""
    wide = [nn.Sequential(nn.Linear(90, 100), nn.Linear(100, 2)) for _ in range(3)]
    networks = [*wide, nn.Sequential(nn.Linear(90, 100)), nn.Sequential(nn.Linear(90, 100))]
    matched = MatchedLayers([net.double() for net in networks], ends=ends)
    weights = symmetric_weights(matched)
    weights[:, 4] = weights[:, :, 4] = 0
    pulls = matched.pulls([0, 3, 4], weights, trade_off=0.3)
    assert list(pulls) == [0, 3, 4]
    assert pulls[4].parameters == []
    for i in (0, 3):
        alone = matched.pulls([i], weights, 0.3, running_means)[i]
        assert [id(p) for p in pulls[i].parameters] == [id(p) for p in alone.parameters]
        assert pulls[i].strengths == pytest.approx(alone.strengths)
        for mean, expected in zip(pulls[i].means, alone.means):
            torch.testing.assert_close(mean, expected, rtol=1e-12, atol=1e-14)


def test_a_mean_is_the_same_bits_whichever_others_are_wanted() -> None:
    """Processes that each ask for their own networks' means get those of one that asks for all."""
    matched = MatchedLayers([nn.Sequential(nn.Linear(90, 100), nn.Linear(100, 2)) for _ in range(5)])
    weights = symmetric_weights(matched).float()
    whole = matched.pulls(range(5), weights)
    for wanted in ([0], [4], [1, 3], [0, 2, 3, 4]):
        for i, pull in matched.pulls(wanted, weights).items():
            assert all(torch.equal(mean, expected) for mean, expected in zip(pull.means, whole[i].means))


def test_means_are_laid_out_like_the_parameters() -> None:
    """Steps towards a mean of another layout would be several times as slow."""
    networks = [nn.Sequential(nn.Conv2d(3, 8, 3), nn.Conv2d(8, 4, 3)) for _ in range(3)]
    contiguous = MatchedLayers(networks, ends=True)
    expected = contiguous.pulls([0], symmetric_weights(contiguous))[0].means
    matched = MatchedLayers([network.to(memory_format=torch.channels_last) for network in networks], ends=True)
    pull = matched.pulls([0], symmetric_weights(matched))[0]
    for parameter, mean, other in zip(pull.parameters, pull.means, expected):
        assert mean.stride() == parameter.stride()
        torch.testing.assert_close(mean, other)


def test_the_pull_is_the_weighted_distances_gradient() -> None:
    networks = [network(seed).double() for seed in range(4)]
    matched = MatchedLayers(networks, ends=True)
    weights = symmetric_weights(matched)
    total = torch.zeros((), dtype=torch.float64)
    for block, pairs in zip(matched.blocks, weights):
        for i in range(4):
            for j in range(i):
                for name in block:
                    mine, theirs = (networks[k].get_submodule(name).parameters() for k in (i, j))
                    total = total + pairs[i, j] * sum((p - q).square().sum() for p, q in zip(mine, theirs))
    for i in range(4):
        pull = matched.pulls([i], weights)[i]
        expected = torch.autograd.grad(total, pull.parameters, retain_graph=True)
        for actual, gradient in zip(torch.autograd.grad(pull.loss(), pull.parameters), expected):
            torch.testing.assert_close(actual, gradient)


def test_nearly_equal_networks_keep_their_distances() -> None:
    """In single precision, squares of the parameters themselves would leave nothing of such distances."""
    first = nn.Linear(200_000, 1)  # several chunks
    networks = [copy.deepcopy(first) for _ in range(3)]
    with torch.no_grad():
        networks[1].weight[0, 150_000] += 2e-6
        networks[2].weight += 100.0
    squared = MatchedLayers(networks).squared_distances()[0]
    expected = (networks[1].weight.double() - first.weight.double()).square().sum().item()
    assert 0 < expected < 1e-11
    pair = MatchedLayers(networks[:2]).squared_distances()[0]
    assert pair[0, 1].item() == pytest.approx(expected)
    assert squared[1, 2].item() == pytest.approx(2e9, rel=1e-5)
    assert torch.equal(squared, squared.T)


def test_equal_networks_stay_where_they_are() -> None:
    first = network(0)
    networks = [copy.deepcopy(first) for _ in range(3)]
    matched = MatchedLayers(networks)
    squared = matched.squared_distances()
    assert squared.count_nonzero() == 0
    weights = irls_weights(squared, scales(squared))
    assert torch.equal(weights, matched.unit_weights())
    matched.pulls([1], weights / 3, 10.0, running_means)[1].step(moving(0.1))
    matched.pulls([0, 2], weights / 3, trade_off=10.0)[2].step(moving(0.1))
    assert all(torch.equal(p, q) for net in networks for p, q in zip(net.parameters(), first.parameters()))


def test_heads_of_other_label_spaces_frozen_and_common_layers_do_not_take_part() -> None:
    networks = [network(seed, classes) for seed, classes in enumerate((3, 5, 3))]
    assert MatchedLayers(networks).names == ("0", "4")
    networks[1][4].requires_grad_(False)
    assert MatchedLayers(networks[:2]).names == ("0",)
    networks[2][0] = networks[0][0]
    assert MatchedLayers(networks[::2]).names == ("4", "5")
    networks[0][5].weight = networks[2][5].weight
    assert MatchedLayers(networks[::2]).names == ("4",)


def test_layers_are_chosen_by_name() -> None:
    networks = [network(seed) for seed in range(2)]
    assert MatchedLayers(networks, shared=("[04]",)).names == ("0", "4")
    assert MatchedLayers(networks, unshared=("4",)).blocks == (("0", "5"),)
    assert MatchedLayers(networks, shared=("4",)).blocks == (("4",),)
    assert MatchedLayers(networks, shared=("4",), ends=True).blocks == (("4",), ("4",))
    with pytest.raises(OptionError, match="'head\\*' fits none of: 0, 4, 5"):
        MatchedLayers(networks, unshared=("head*",))
    with pytest.raises(OptionError, match="none of the same name and shapes among 5"):
        MatchedLayers([network(0, 2), network(0, 3)], shared=("5",))


class Residual(nn.Module):
    """Two architectures, the deeper one with a layer in between, and a parameter of their own."""

    def __init__(self, deep: bool) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.randn(2))
        self.first = nn.Linear(2, 2)
        if deep:
            self.between = nn.Linear(2, 2)
        self.last = nn.Linear(2, 2)


def test_architectures_are_matched_where_they_agree() -> None:
    torch.manual_seed(0)
    networks = [Residual(deep=False), Residual(deep=True), Residual(deep=True)]
    matched = MatchedLayers(networks)
    blocks = {block: matched.present[b] for b, block in enumerate(matched.blocks)}
    assert set(blocks) == {("", "first"), ("first", "last"), ("first", "between"), ("between", "last")}
    deep = torch.tensor([[False, False, False], [False, False, True], [False, True, False]])
    assert torch.equal(blocks["first", "between"], deep)
    assert torch.equal(blocks["between", "last"], deep)
    assert torch.equal(blocks["first", "last"], ~deep & ~torch.eye(3, dtype=torch.bool))
    squared = matched.squared_distances()
    assert torch.equal(squared.isfinite(), matched.present | torch.eye(3, dtype=torch.bool))
    weights = irls_weights(squared, scales(squared))
    assert [len(pull.parameters) for pull in matched.pulls([0, 1], weights).values()] == [5, 7]
    pull = matched.pulls([1], weights, 1.0, running_means)[1]
    to = dict(zip(map(id, pull.parameters), pull.means))[id(networks[1].between.weight)]
    assert torch.equal(to, networks[2].between.weight)


RESTING = [
    Recipe(optimizer="sgd", lr=0.1, momentum=0.0, weight_decay=0.0),
    Recipe(optimizer="sgd", lr=0.01, momentum=0.9, weight_decay=0.0),
    Recipe(optimizer="adam", lr=0.1, momentum=0.5, weight_decay=0.0),
]


@pytest.mark.parametrize("recipe", RESTING, ids=lambda recipe: f"{recipe.optimizer}-{recipe.momentum}")
@pytest.mark.parametrize("strength", [0.2, 3.0])
def test_step_and_loss_rest_at_the_same_weights(recipe: Recipe, strength: float) -> None:
    """Where the gradients of task and pull cancel, whatever the optimiser."""
    random = torch.Generator().manual_seed(1)
    factor = torch.randn(5, 5, generator=random, dtype=torch.float64)
    curvature = factor @ factor.T / 5 + torch.eye(5, dtype=torch.float64) / 2
    optimum, mean = torch.randn(2, 5, generator=random, dtype=torch.float64)
    eye = torch.eye(5, dtype=torch.float64)
    expected = torch.linalg.solve(curvature + 2 * strength * eye, curvature @ optimum + 2 * strength * mean)
    # Adam, whose steps follow the schedule, is still on its last millionth.
    near = {"rtol": 1e-6, "atol": 1e-8} if recipe.optimizer == "sgd" else {"rtol": 1e-5, "atol": 1e-6}
    for proximal in (True, False):
        module = One(torch.zeros(5, dtype=torch.float64))
        pull = Pull([module.theta], [mean], [strength])
        stepper = Stepper(module, (), recipe, Fabric(accelerator="cpu", devices=1))  # type: ignore[arg-type]
        for done in range(3000):
            stepper.schedule(0.0, 0.998**done)
            difference = module.theta - optimum
            task = difference @ curvature @ difference / 2
            loss = task if proximal else task + pull.loss()
            stepper.step(Update(loss, on=("part",), then=pull.step if proximal else None))
        torch.testing.assert_close(module.theta.detach(), expected, **near)


class One(nn.Module):
    """What the engine asks of a method, with one parameter."""

    def __init__(self, value: Tensor) -> None:
        super().__init__()
        self.part = nn.ParameterList([value])

    @property
    def theta(self) -> nn.Parameter:
        return self.part[0]

    def groups(self) -> dict[str, nn.Module]:
        return {"part": self.part}

    def learning_rates(self, lr: float, backbone_factor: float) -> dict[str, float]:
        return {"part": lr}

    def stage_rates(self, decay: float) -> dict[nn.Parameter, float]:
        return {}


def test_the_step_is_stable_for_any_strength() -> None:
    theta, mean = torch.zeros(3), torch.tensor([1.0, -2.0, 3.0])
    Pull([theta], [mean], [1e12]).step(moving(1.0))
    torch.testing.assert_close(theta, mean)
    Pull([], [], []).step(moving(1.0))
    assert Pull([], [], []).loss().item() == 0


def test_clusters_are_found_layer_by_layer() -> None:
    """Tasks ‖θ − a‖² / 2, whose minimum with a pull is the proximal step of η = 1 from a."""
    assignments = [(0, 0, 0, 1, 1, 1)] * 2 + [(0, 1, 2, 0, 1, 2)] * 2
    networks = [nn.Sequential(*(nn.Linear(4, 4) for _ in assignments)).double() for _ in range(6)]
    random = torch.Generator().manual_seed(0)
    for layer, clusters in enumerate(assignments):
        centres = 3 * torch.randn(3, 20, generator=random, dtype=torch.float64)
        for net, cluster in zip(networks, clusters):
            values = centres[cluster] + 0.1 * torch.randn(20, generator=random, dtype=torch.float64)
            nn.utils.vector_to_parameters(values, net[layer].parameters())
    alone = [copy.deepcopy(net.state_dict()) for net in networks]
    matched = MatchedLayers(networks)

    def minimise(weights: Tensor) -> Tensor:
        for _ in range(20):
            for i, net in enumerate(networks):
                net.load_state_dict(alone[i])
                matched.pulls([i], weights, trade_off=0.01)[i].step(moving(1.0))
        return matched.squared_distances()

    squared = minimise(matched.unit_weights())
    scale, weights = scales(squared), matched.unit_weights()
    for iteration in range(1, 11):
        previous, weights = weights, irls_weights(squared, scale)
        if iteration > 1 and (weights - previous).abs().max() <= 1e-2:
            break
        squared = minimise(weights)
    assert iteration <= 8
    for block, layer in (("0", "1"), 0), (("2", "3"), 2):
        clusters = torch.tensor(assignments[layer])
        together = clusters[:, None] == clusters
        found = weights[matched.blocks.index(block)]
        assert found[~together].max() < 0.1
        assert found[together & ~torch.eye(6, dtype=torch.bool)].min() > 0.3
