"""Methods for several labelled domains: what each shares, and the joint method's walk from unit weights to clusters."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from isthmus.data.batches import JointBatch, Labelled, Unlabelled
from isthmus.data.tasks import Classification
from isthmus.errors import OptionError, SettingError
from isthmus.functional.parameters import squared_distances
from isthmus.functional.robust import irls_weights, scales
from isthmus.methods import Update, build_method
from isthmus.methods.base import Plan
from isthmus.methods.joint.hard_sharing import HardSharing, first_layers
from isthmus.methods.joint.joint_irls import JointIRLS
from isthmus.methods.joint.pretrain_finetune import PretrainFinetune
from isthmus.methods.side_by_side import SideBySide
from isthmus.nn.backbones.base import WithNeck
from isthmus.nn.backbones.digits import DigitsBackbone
from isthmus.nn.backbones.mlp import MLPBackbone

TASKS = [Classification(tuple("abc")), Classification(tuple("abcd")), Classification(tuple("xyz"))]
LR = 0.05
SURVEY: Any = SimpleNamespace(domains=range(len(TASKS)))


def backbone() -> MLPBackbone:
    torch.manual_seed(0)
    return MLPBackbone(5, hidden=4, layers=3)


def batch(domain: int, seed: int = 0) -> JointBatch:
    random = torch.Generator().manual_seed(1000 * domain + seed)
    labels = torch.randint(TASKS[domain].num_classes, (16,), generator=random)
    return JointBatch(domain, Labelled(torch.randn(16, 5, generator=random) + labels[:, None] * (1 + domain), labels))


def train(method: SideBySide, epochs: range, total: int = 8) -> None:
    """Epochs in which every domain has its turn, with plain gradient descent."""
    for epoch in epochs:
        method.before_epoch(epoch, epoch / total, SURVEY)
        for domain in range(len(TASKS)):
            for seed in range(3):
                descend(method, batch(domain, seed), epoch / total)


def descend(method: SideBySide, batch: JointBatch, progress: float) -> None:
    """The steps of a batch."""
    stage = next(stage for stage in method.stages() if progress < stage.until)
    for update in stage.steps(batch, progress):
        step(method, update)


def step(method: SideBySide, update: Update) -> None:
    """What the engine does with an update, by plain gradient descent."""
    changes = []
    for name in update.groups:
        parameters = list(method.groups()[name].parameters())
        loss = sum(objective.loss for objective in update.objectives if name in objective.on)
        changes += zip(parameters, torch.autograd.grad(loss, parameters, retain_graph=True))  # type: ignore[arg-type]
    for parameter, gradient in changes:
        parameter.data -= LR * gradient
    if update.then is not None:
        update.then(lambda parameter: LR)


def own_backbone(method: SideBySide, place: int) -> nn.Module:
    return method.learner(place).get_submodule("backbone")


def linear_layers(method: SideBySide, place: int) -> list[nn.Linear]:
    return [module for module in own_backbone(method, place).modules() if isinstance(module, nn.Linear)]


def distances(method: SideBySide) -> list[float]:
    """Of the first two backbones' three layers."""
    first, second = (linear_layers(method, place) for place in range(2))
    return [(p.weight - q.weight).norm().item() for p, q in zip(first, second)]


def test_networks_start_equal_with_heads_of_their_own() -> None:
    method = JointIRLS(backbone(), *TASKS)
    assert set(method.groups()) == {"backbone", "head", "backbone_1", "head_1", "backbone_2", "head_2"}
    assert [network.head.out_features for network in method.predictors()] == [3, 4, 3]
    assert distances(method) == [0.0] * 3
    assert len(method.layers.names) == 3


ALIKE = [TASKS[1], TASKS[0], TASKS[1], TASKS[2], TASKS[0]]


@pytest.mark.parametrize("name", ["joint_irls", "isolated", "l2_reg_50", "share_all", "pretrain_finetune"])
def test_classifiers_of_the_same_classes_start_equal(name: str) -> None:
    """Else hidden units learn other roles in each network, and drawing these together does harm."""
    method = build_method(name, backbone(), *ALIKE)
    weights = [method.learner(place).head.weight for place in range(5)]  # type: ignore[union-attr]
    equal = {(i, j) for i in range(5) for j in range(i) if torch.equal(weights[i][:3], weights[j][:3])}
    assert equal == {(2, 0), (4, 1)}
    one = {(i, j) for i, j in equal if weights[i] is weights[j]}
    assert one == (equal if name == "share_all" else set())


def test_classifiers_of_the_same_classes_are_drawn_together() -> None:
    method = JointIRLS(backbone(), *ALIKE)
    assert method.layers.names == (*(f"backbone.layers.{i}" for i in (0, 3, 6)), "head of domain 1", "head of domain 2")
    last = [method.layers.blocks.index((method.layers.names[2], name)) for name in method.layers.names[3:]]
    assert [method.layers.present[block].nonzero().tolist() for block in last] == [[[0, 2], [2, 0]], [[1, 4], [4, 1]]]


def test_one_classifier_learns_from_all_domains_of_its_classes() -> None:
    method = build_method("share_all", backbone(), *ALIKE)
    assert set(method.groups()) == {"common_backbone", "head", "head_1", "head_3"}
    everything = [parameter for group in method.groups().values() for parameter in group.parameters()]
    assert len(everything) == len(set(everything))
    assert set(everything) == set(method.parameters())
    (update,) = method.steps(JointBatch(4, batch(0).samples), 0.0)
    assert update.groups == ("common_backbone", "head_1")
    method = build_method("pretrain_finetune", backbone(), *ALIKE)
    pretrain, finetune = method.stages()
    (update,) = pretrain.steps(JointBatch(4, batch(0).samples), 0.0)
    assert update.groups == ("backbone", "head_1")
    for update in pretrain.steps(JointBatch(4, batch(0).samples), 0.0):
        step(method, update)  # type: ignore[arg-type]
    learned = method.learner(1).head.weight.clone()  # type: ignore[union-attr]
    assert not torch.equal(learned, method.learner(4).head.weight)  # type: ignore[union-attr]
    assert finetune.begin is not None
    finetune.begin()
    assert torch.equal(learned, method.learner(4).head.weight)  # type: ignore[union-attr]


def test_layers_are_chosen_by_patterns() -> None:
    for name in ("joint_irls", "l2_reg"):
        method = build_method(f"{name}:shared=*.0/*.3,unshared=*.3", backbone(), *TASKS)
        assert method.layers.names == ("backbone.layers.0",)
    with pytest.raises(OptionError, match="'conv' fits none of: backbone"):
        build_method("joint_irls:unshared=conv", backbone(), *TASKS)


@pytest.mark.parametrize("pull", ["proximal", "gradient"])
def test_a_step_is_the_papers(pull: Any) -> None:
    """Against a step written out with the pairs of section 4.2.3, from networks that have already come apart."""
    method = JointIRLS(backbone(), *TASKS, trade_off=0.3, pull=pull)
    train(method, range(2))
    random = torch.Generator().manual_seed(0)
    method.weightings = torch.rand(method.weights.shape, generator=random)[None].double()

    layers = [linear_layers(method, place) for place in range(3)]  # blocks (0, 1) and (1, 2)
    images, labels = batch(1).samples.images, batch(1).samples.labels  # type: ignore[union-attr]
    network = method.predictors()[1]
    task = cross_entropy(network(images), labels)
    expected: list[Tensor] = []
    for depth, layer in enumerate(layers[1]):
        blocks = [b for b in (depth - 1, depth) if 0 <= b < 2]
        w = [sum(method.weights[b, 1, j].item() for b in blocks) for j in range(3)]
        for name, theta in layer.named_parameters():
            (gradient,) = torch.autograd.grad(task, theta, retain_graph=True)
            others = [(w[j], layers[j][depth].get_parameter(name)) for j in (0, 2)]
            if pull == "gradient":
                expected.append(theta - LR * (gradient + sum(2 * 0.3 * c * (theta - other) for c, other in others)))
            else:
                top = theta - LR * gradient + sum(2 * LR * 0.3 * c * other for c, other in others)
                expected.append(top / (1 + 2 * LR * 0.3 * sum(c for c, _ in others)))

    (update,) = method.steps(batch(1), 0.0)
    assert update.groups == ("backbone_1", "head_1")
    parameters = [p for layer in layers[1] for p in layer.parameters()]
    assert (update.then is not None) == (pull == "proximal")
    step(method, update)
    for p, e in zip(parameters, expected):
        torch.testing.assert_close(p, e)


@pytest.mark.parametrize("pull", ["proximal", "gradient"])
def test_together_all_are_drawn_to_where_the_others_were(pull: Any) -> None:
    """Whoever is trained first; in turn, the one trained later sees what the others have become."""

    def trained(order: Any, places: Sequence[int]) -> JointIRLS:
        method = JointIRLS(backbone(), *TASKS, trade_off=0.5, pull=pull, order=order)
        train(method, range(2))
        method.before_epoch(2, 0.25, SURVEY)
        for place in places:
            descend(method, batch(place), 0.25)
        return method

    for order, expected in (("together", True), ("in_turn", False)):
        ends = [trained(order, places) for places in ((0, 1, 2), (2, 1, 0))]
        equal = [torch.equal(p, q) for p, q in zip(*(method.parameters() for method in ends))]
        assert all(equal) is expected


@pytest.mark.parametrize("name", ["joint_irls", "l2_reg"])
def test_networks_are_independent_where_trained_together(name: str) -> None:
    method = build_method(f"{name}:order=together", backbone(), *TASKS)
    assert method.independent == (("backbone", "head"), ("backbone_1", "head_1"), ("backbone_2", "head_2"))
    assert build_method(name, backbone(), *TASKS).independent == ()
    for place in range(3):
        method.before_epoch(0, 0.0, SURVEY)
        (update,) = method.steps(batch(place), 0.0)
        assert update.groups == method.independent[place]


def test_weights_are_one_until_scales_are_set_and_stay_once_settled() -> None:
    method = JointIRLS(backbone(), *TASKS, trade_off=0.1, initial_share=0.25, sweeps=2)
    ones = method.weights.clone()
    train(method, range(2))
    assert torch.equal(method.weights, ones)
    squared = method.layers.squared_distances()
    scale = scales(squared)
    method.before_epoch(2, 2 / 8, SURVEY)
    torch.testing.assert_close(method.scale, scale)
    torch.testing.assert_close(method.weights, irls_weights(squared, scale))
    first = method.weights.clone()
    train(method, range(3, 4))
    assert torch.equal(method.weights, first)  # two sweeps a weighting
    squared = method.layers.squared_distances()
    method.before_epoch(4, 4 / 8, SURVEY)
    torch.testing.assert_close(method.weights, irls_weights(squared, scale))
    method.tolerance = 1.0
    method.before_epoch(6, 6 / 8, SURVEY)
    assert method.settled
    settled = method.weights.clone()
    train(method, range(7, 9), total=9)
    assert torch.equal(method.weights, settled)


def test_a_run_taken_up_again_ends_with_the_same_bits() -> None:
    whole = JointIRLS(backbone(), *TASKS, trade_off=0.5, sweeps=1).float()
    train(whole, range(8))
    half = JointIRLS(backbone(), *TASKS, trade_off=0.5, sweeps=1).float()
    train(half, range(5))
    resumed = JointIRLS(backbone(), *TASKS, trade_off=0.5, sweeps=1).float()
    resumed.load_state_dict(half.state_dict())
    train(resumed, range(5, 8))
    assert not torch.equal(whole.weights, half.weights)
    assert all(torch.equal(a, b) for a, b in zip(whole.state_dict().values(), resumed.state_dict().values()))


def test_without_weighting_all_weights_stay_one() -> None:
    method = JointIRLS(backbone(), *TASKS, weighting="none", trade_off=100.0)
    alone = HardSharing(backbone(), *TASKS, shared=0)
    train(method, range(4))
    train(alone, range(4))
    assert torch.equal(method.weights, method.layers.unit_weights())
    assert max(distances(method)) < 0.1 * min(distances(alone))


@pytest.mark.parametrize(("shared", "common"), [(0.0, 0), (0.25, 1), (0.5, 2), (1.0, 3)])
def test_the_first_layers_are_shared(shared: float, common: int) -> None:
    method = HardSharing(backbone(), *TASKS, shared=shared)
    train(method, range(1))
    apart = distances(method)
    assert apart[:common] == [0.0] * common
    assert min(apart[common:], default=1.0) > 0


def test_alone_not_even_a_leading_batch_norm_is_shared() -> None:
    layers = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Linear(3, 2))
    assert [first_layers(layers, share) for share in (0, 0.5, 1)] == [[], ["0", "1", "2"], ["0", "1", "2", "3"]]


def test_one_backbone_has_one_neck() -> None:
    torch.manual_seed(0)
    expected = WithNeck(digits := DigitsBackbone()).hidden.state_dict()
    for given in (digits, [digits] * 3):
        torch.manual_seed(0)
        DigitsBackbone()
        method = JointIRLS(given, *TASKS)
        for place in range(3):
            hidden = method.learner(place).get_submodule("backbone.hidden").state_dict()
            assert all(torch.equal(value, expected[name]) for name, value in hidden.items())


def test_statistics_are_each_domains_own() -> None:
    torch.manual_seed(0)
    digits = DigitsBackbone()
    method = HardSharing(digits, *TASKS, shared=1.0)
    backbones = [own_backbone(method, place) for place in (0, 2)]
    ours, theirs = (dict(own.named_parameters()) for own in backbones)
    assert all(ours[name] is theirs[name] for name in ours)
    buffers = [dict(own.named_buffers()) for own in backbones]
    assert all(buffers[0][name] is not buffers[1][name] for name in buffers[0])


def test_finetuning_starts_from_what_all_learned_together() -> None:
    method = PretrainFinetune(backbone(), *TASKS, pretrain_share=0.5)
    start = [p.clone() for p in own_backbone(method, 1).parameters()]
    train(method, range(4))
    assert all(torch.equal(p, q) for p, q in zip(own_backbone(method, 1).parameters(), start))
    assert min(distances(method)) > 0
    assert all(network.backbone is own_backbone(method, 0) for network in method.predictors())
    begin = method.stages()[1].begin
    assert begin is not None
    begin()
    assert distances(method) == [0.0] * 3
    train(method, range(4, 6))
    assert min(distances(method)) > 0
    assert method.predictors()[1].backbone is own_backbone(method, 1)


def test_a_run_too_short_for_a_weighting_is_refused() -> None:
    plan = Plan((5,), epochs=3)
    JointIRLS(backbone(), *TASKS, initial_share=0.6).check(plan)
    JointIRLS(backbone(), *TASKS, initial_share=1).check(plan)  # which asks for none
    JointIRLS(backbone(), *TASKS, weighting="none", initial_share=0.7).check(plan)
    with pytest.raises(OptionError, match=r"`initial_share` of `joint_irls` .*0\.7.*`--epochs 4`.*weighting=none`"):
        JointIRLS(backbone(), *TASKS, initial_share=0.7).check(plan)


def test_what_does_not_fit_is_refused() -> None:
    for options in ({"initial_share": 1.5}, {"trade_off": -1.0}, {"weighting": "huber"}, {"sweeps": 0}):
        with pytest.raises(OptionError):
            JointIRLS(backbone(), *TASKS, **options)  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="Expected labels in every domain"):
        next(JointIRLS(backbone(), *TASKS).steps(JointBatch(1, Unlabelled(torch.zeros(2, 5))), 0.0))


def test_shared_layers_have_one_optimiser() -> None:
    method = HardSharing(backbone(), *TASKS, shared=0.5)
    groups = method.groups()
    assert set(groups) == {"common_backbone", "backbone", "backbone_1", "backbone_2", "head", "head_1", "head_2"}
    everything = [parameter for group in groups.values() for parameter in group.parameters()]
    assert len(everything) == len(set(everything))
    assert set(everything) == set(method.parameters())
    assert set(HardSharing(backbone(), *TASKS, shared=1.0).groups()) == {"common_backbone", "head", "head_1", "head_2"}
    (update,) = method.steps(batch(2), 0.0)
    assert update.groups == ("common_backbone", "backbone_2", "head_2")


def test_pretrained_backbones_and_their_depths_have_rates_of_their_own() -> None:
    pretrained = backbone()
    pretrained.pretrained = True
    for method in (JointIRLS(pretrained, *TASKS), HardSharing(pretrained, *TASKS, shared=0.5)):
        rates = method.learning_rates(1.0, 0.1)
        assert rates == {name: 1.0 if name.startswith("head") else 0.1 for name in method.groups()}
    method = JointIRLS(backbone(), *TASKS)
    factors = method.stage_rates(0.5)
    for place in range(3):
        assert [factors[layer.weight] for layer in linear_layers(method, place)] == [0.25, 0.5, 1.0]


def test_findings_hold_the_whole_course() -> None:
    method = JointIRLS(backbone(), *TASKS, trade_off=0.1, sweeps=1, tolerance=0.0)
    train(method, range(6))
    found = method.findings()
    weightings, at, course = (torch.as_tensor(found[name]) for name in ("weightings", "weighted_at", "consistency"))
    assert at.tolist() == [4, 5]
    assert torch.equal(weightings[0], method.layers.unit_weights())
    assert torch.equal(weightings[-1], method.weights)
    squared = method.layers.squared_distances()
    s = method.scale[:, None, None].square()
    cauchy = (s * (1 + squared / s).log())[:, [0, 0, 1], [1, 2, 2]].sum()
    torch.testing.assert_close(course[-1], cauchy)
    assert course.shape == (7,)
    assert course[0] == 0
    assert (found["layers"], torch.as_tensor(found["blocks"]).tolist()) == (method.layers.names, [[1, 1, 0], [0, 1, 1]])


def two_architectures() -> list[MLPBackbone]:
    """The last of which has another width after its first layer."""
    torch.manual_seed(0)
    narrow = Widening(4)
    return [narrow, narrow, Widening(6)]


class Widening(MLPBackbone):
    """Two layers of 5 → 4 → `out`, and one more of that width."""

    def __init__(self, out: int) -> None:
        super().__init__(5, hidden=4, layers=1)
        self.layers.append(nn.Linear(4, out)).append(nn.Linear(out, 4))


@pytest.mark.parametrize("order", ["in_turn", "together"])
def test_architectures_that_share_only_some_layers(order: Any) -> None:
    method = JointIRLS(two_architectures(), *TASKS, trade_off=50.0, order=order)
    assert method.layers.names == ("backbone.layers.0",)
    assert distances(method)[0] == 0
    assert [net.head.in_features for net in method.predictors()] == [4, 4, 4]
    first, other = (linear_layers(method, place) for place in (0, 2))
    assert [layer.weight.shape for layer in other] == [(4, 5), (6, 4), (4, 6)]
    assert torch.equal(first[0].weight, other[0].weight)
    assert first[0].weight is not other[0].weight
    alone = HardSharing(two_architectures(), *TASKS, shared=0.0)
    for one in (method, alone):
        train(one, range(4))
    apart, far = ((linear_layers(m, 0)[0].weight - linear_layers(m, 2)[0].weight).norm() for m in (method, alone))
    assert 0 < apart < 0.2 * far
    assert torch.equal(method.weights, method.layers.unit_weights())


def test_pretrained_architectures_keep_their_weights() -> None:
    given = two_architectures()
    torch.manual_seed(1)
    given[2] = Widening(6)
    given[2].pretrained = True
    method = JointIRLS(given, *TASKS)
    assert torch.equal(linear_layers(method, 2)[0].weight, given[2].layers[0].weight)
    assert not torch.equal(linear_layers(method, 2)[0].weight, linear_layers(method, 0)[0].weight)
    rates = method.learning_rates(1.0, 0.1)
    assert rates == {name: 0.1 if name == "backbone_2" else 1.0 for name in method.groups()}


@pytest.mark.parametrize("name", ["share_all", "l2_reg_25", "l2_reg_50", "pretrain_finetune"])
def test_one_and_the_same_layers_need_one_architecture(name: str) -> None:
    with pytest.raises(OptionError, match="need one backbone for all domains, but got 2 different ones"):
        build_method(name, two_architectures(), *TASKS)
    build_method(name, [backbone()] * 3, *TASKS)
    with pytest.raises(OptionError, match="a backbone for each of 3 domains, but got 2"):
        build_method("isolated", two_architectures()[1:], *TASKS)


def test_weights_have_settled_once_none_has_changed_by_more_than_the_tolerance() -> None:
    method = JointIRLS(backbone(), *TASKS, tolerance=0.25)
    for change, settled in ((0.25, True), (0.5, False), (-0.5, False)):
        before = torch.full_like(method.weights, 0.5)
        after = before.clone()
        after[0, 0, 1] = after[0, 1, 0] = 0.5 + change
        method.weightings = torch.stack([before, after])
        assert method.settled is settled


def test_geman_mcclure_weights_minimise_the_norm_that_the_paper_states() -> None:
    """The weights are the paper's squared; the consistency is the norm's, from the first weighting on."""
    method = JointIRLS(backbone(), *TASKS, trade_off=0.1, weighting="geman_mcclure")
    train(method, range(4))
    method.before_epoch(4, 0.5, SURVEY)
    layers = [linear_layers(method, place) for place in range(3)]
    consistency = 0.0
    for block in range(2):
        squared = [[0.0] * 3 for _ in range(3)]
        for i in range(3):
            for j in range(3):
                for depth in (block, block + 1):
                    for p, q in zip(layers[i][depth].parameters(), layers[j][depth].parameters()):
                        squared[i][j] += (p.detach().double() - q.detach().double()).square().sum().item()
        variance = (sum(min(squared[i][j] for j in range(3) if j != i) ** 0.5 for i in range(3)) / 3) ** 2
        for i in range(3):
            for j in range(3):
                expected = (variance / (variance + squared[i][j])) ** 2 if i != j else 0.0
                assert method.weights[block, i, j].item() == pytest.approx(expected, rel=1e-6)
                consistency += variance * squared[i][j] / (variance + squared[i][j]) / 2
    assert method.consistency[-1].item() == pytest.approx(consistency, rel=1e-6)


def test_epochs_between_weightings_are_counted_from_the_first() -> None:
    method = JointIRLS(backbone(), *TASKS, initial_share=0.3, sweeps=2, tolerance=0.0)
    random = torch.Generator().manual_seed(0)
    for epoch in range(9):
        for parameter in method.parameters():
            parameter.data += torch.randn(parameter.shape, generator=random)
        method.before_epoch(epoch, epoch / 9, SURVEY)
    assert method.weighted_at.tolist() == [3, 5, 7]


def test_new_weights_hold_at_once_for_whoever_had_the_last_turn() -> None:
    """With weights of zero, a step of the domain that was trained last is one on its task alone."""
    method = JointIRLS(backbone(), *TASKS, trade_off=0.5)
    train(method, range(2))
    method.weightings = torch.zeros_like(method.weights)[None]
    method.before_epoch(2, 0.25, SURVEY)
    images, labels = batch(2).samples.images, batch(2).samples.labels  # type: ignore[union-attr]
    weight = linear_layers(method, 2)[1].weight
    (gradient,) = torch.autograd.grad(cross_entropy(method.predictors()[2](images), labels), weight)
    expected = weight.detach() - LR * gradient
    descend(method, batch(2), 0.25)
    torch.testing.assert_close(weight.detach(), expected)


def test_the_options_of_l2_reg_are_those_of_joint_irls() -> None:
    plain = build_method("l2_reg", backbone(), *TASKS)
    method = build_method("l2_reg:trade_off=0.3,pull=gradient,ends=true,batch_norm=true", backbone(), *TASKS)
    assert isinstance(plain, JointIRLS)
    assert isinstance(method, JointIRLS)
    assert plain.layers.names == tuple(f"backbone.layers.{place}" for place in (0, 3, 6))
    assert method.layers.names == tuple(f"backbone.layers.{place}" for place in (0, 1, 3, 4, 6, 7))
    assert plain.layers.standing.sum(dim=0).tolist() == [1, 2, 1]
    assert method.layers.standing.sum(dim=0).tolist() == [2] * 6  # the first and the last too
    train(plain, range(1))
    (update,) = plain.steps(batch(1), 0.0)
    assert update.then is not None
    train(method, range(1))
    task, pulled = next(method.steps(batch(1), 0.0)).objectives
    assert task.on == ("backbone_1", "head_1")
    theirs = [list(own_backbone(method, place).parameters()) for place in range(3)]
    # Half the gradient of the pull is 0.3 times both blocks times the difference to either other network.
    expected = [0.3 * 2 * (2 * p - q - r) for p, q, r in zip(theirs[1], theirs[0], theirs[2])]
    found = torch.autograd.grad(pulled.loss, theirs[1])
    torch.testing.assert_close([gradient / 2 for gradient in found], [gradient.detach() for gradient in expected])


def test_networks_near_each_other_keep_their_distance_however_far_the_first_is() -> None:
    """A squared distance of a billionth of those to the first network is no rounding error."""
    rows = [torch.zeros(10), torch.ones(10), torch.ones(10) * (1 + 1e-4)]
    expected = sum((a - b) ** 2 for a, b in zip(rows[1].tolist(), rows[2].tolist()))
    found = squared_distances([(row,) for row in rows])[1, 2].item()
    assert found == pytest.approx(expected, rel=1e-5)
