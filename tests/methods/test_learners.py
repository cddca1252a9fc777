"""Tasks without labels: the step of each against its equations, and what every joint method does with them."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
import torch
from lightning.fabric import Fabric
from small_problems import IMAGE_PROBLEMS, joint_problem
from torch import Tensor, nn

from isthmus.data.batches import Incomplete, JointBatch, Unlabelled
from isthmus.data.loaders import batches, steps_per_epoch
from isthmus.data.recipes import Recipe
from isthmus.data.tasks import Classification, Completion, Generation
from isthmus.engine.stepping import Stepper
from isthmus.engine.trainer import Trainer
from isthmus.errors import OptionError, SettingError
from isthmus.experiments.networks import backbone_for
from isthmus.methods import Update, build_method
from isthmus.methods.joint.hard_sharing import HardSharing
from isthmus.methods.joint.joint_irls import JointIRLS
from isthmus.methods.learners import learner_for
from isthmus.methods.learners.generation import BEGANLearner
from isthmus.methods.registry import method_entries
from isthmus.methods.side_by_side import SideBySide
from isthmus.nn.autoencoder import AutoEncoder
from isthmus.nn.gans import BEGAN, DCGAN

LR = 0.1
PLAIN = Recipe(optimizer="sgd", lr=LR, momentum=0.0, weight_decay=0.0, schedule="constant")
JOINT = [entry.name for entry in method_entries() if entry.setting == "joint"]
SURVEY: Any = None  # not looked at


def build(kind: str, name: str = "joint_irls") -> SideBySide:
    torch.manual_seed(0)
    problem = IMAGE_PROBLEMS[kind]()
    method = build_method(name, backbone_for(problem), *problem.outputs)
    assert isinstance(method, SideBySide)
    return method


def one_of_each(kind: str) -> list[JointBatch]:
    problem = IMAGE_PROBLEMS[kind]()
    found = {batch.domain: batch for batch in batches(problem, seed=0, start=0, stop=steps_per_epoch(problem))}
    return [found[place] for place in sorted(found)]


def in_double(batch: JointBatch) -> JointBatch:
    samples = batch.samples
    if isinstance(samples, Incomplete):
        return JointBatch(batch.domain, Incomplete(samples.images.double(), samples.whole.double()))
    return JointBatch(batch.domain, Unlabelled(samples.images.double()))


def stepped(method: SideBySide, batch: JointBatch) -> None:
    """What the engine does with a batch, without momentum."""
    stepper = Stepper(method, (), PLAIN, Fabric(accelerator="cpu", devices=1))
    for update in method.steps(batch, 0.0):
        stepper.step(update)


def descend(network: nn.Module, loss: Tensor) -> None:
    """One step of plain gradient descent on one network."""
    parameters = list(network.parameters())
    for p, g in zip(parameters, torch.autograd.grad(loss, parameters, retain_graph=True)):
        p.data -= LR * g


def layers_of(network: nn.Module) -> dict[str, Any]:
    """Convolutions and linear layers by name, in order."""
    kinds = (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)
    return {name: module for name, module in network.named_modules() if isinstance(module, kinds)}


def assert_same(found: nn.Module, expected: nn.Module) -> None:
    for (name, a), (_, b) in zip(found.state_dict().items(), expected.state_dict().items()):
        torch.testing.assert_close(a, b, msg=lambda m, name=name: f"{name}: {m}")


def drawn(batch: int, latent: int = 3) -> Tensor:
    """The noise that a learner draws first."""
    torch.manual_seed(5)
    return torch.rand(batch, latent, dtype=torch.float64) * 2 - 1


def test_batches_of_completion_have_holes_and_the_whole() -> None:
    for batch in one_of_each("autoencoder"):
        samples = batch.samples
        assert isinstance(samples, Incomplete)
        cut = (samples.images != samples.whole).any(dim=1)
        assert (samples.images[~cut[:, None]] == samples.whole[~cut[:, None]]).all()
        for image, hole in zip(samples.images, cut):
            rows, columns = hole.any(dim=1).nonzero().flatten(), hole.any(dim=0).nonzero().flatten()
            assert (len(rows), len(columns)) == (5, 5)
            assert (image[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] == 0).all()


def test_a_completion_step_descends_the_squared_error_of_the_whole_image() -> None:
    method = build("autoencoder", "isolated").double()
    expected = deepcopy(method.matched_network(1))
    batch = in_double(one_of_each("autoencoder")[1])
    samples = batch.samples
    assert isinstance(samples, Incomplete)
    stepped(method, batch)
    difference = expected(samples.images) - samples.whole
    descend(expected, (difference**2).sum() / difference.numel())
    assert_same(method.matched_network(1), expected)


def test_a_dcgan_step_is_two() -> None:
    method = build("dcgan", "isolated").double()
    generator, discriminator = deepcopy(list(method.learner(1).children()))
    batch = in_double(one_of_each("dcgan")[1])
    images = batch.samples.images
    torch.manual_seed(5)
    stepped(method, batch)

    generated = generator(drawn(len(images)))
    of_real, of_generated = (torch.sigmoid(discriminator(x)) for x in (images, generated.detach()))  # being generated
    descend(discriminator, -(torch.log(1 - of_real).mean() + torch.log(of_generated).mean()) / 2)
    of_generated = torch.sigmoid(discriminator(generated))  # by the new discriminator
    descend(generator, -torch.log(1 - of_generated).mean())
    assert_same(method.learner(1).get_submodule("discriminator"), discriminator)
    assert_same(method.learner(1).get_submodule("generator"), generator)


def test_a_began_step_is_one_and_moves_the_balance() -> None:
    method = build("began", "isolated").double()
    learner = method.learner(1)
    assert isinstance(learner, BEGANLearner)
    learner.discriminator.balance.fill_(0.3)
    generator, discriminator = deepcopy(learner.generator), deepcopy(learner.discriminator)
    batch = in_double(one_of_each("began")[1])
    images = batch.samples.images
    torch.manual_seed(5)
    stepped(method, batch)

    generated = generator(drawn(len(images)))
    real = (images - discriminator(images)).abs().mean()
    fake = (generated - discriminator(generated)).abs().mean()
    mine, theirs = list(discriminator.parameters()), list(generator.parameters())
    gradients = torch.autograd.grad(real - 0.3 * fake, mine, retain_graph=True) + torch.autograd.grad(fake, theirs)
    for parameter, gradient in zip(mine + theirs, gradients):
        parameter.data -= LR * gradient
    discriminator.balance.fill_(0.3 + 0.001 * (0.5 * real.item() - fake.item()))
    assert_same(learner.discriminator, discriminator)
    assert_same(learner.generator, generator)
    assert method.learner(0).get_submodule("discriminator").get_buffer("balance") == 0


@pytest.mark.parametrize("kind", IMAGE_PROBLEMS)
@pytest.mark.parametrize("name", JOINT)
def test_every_joint_method_trains_all_networks(name: str, kind: str) -> None:
    problem, method = IMAGE_PROBLEMS[kind](), build(kind, name)
    before = {group: [p.clone() for p in module.parameters()] for group, module in method.groups().items()}
    Trainer(method, problem, Fabric(accelerator="cpu", devices=1), seed=0).run(lambda epoch, losses: None)
    for group, module in method.groups().items():
        moved = [not torch.equal(p, q) for p, q in zip(before[group], module.parameters())]
        assert any(moved), group
        assert all(p.isfinite().all() for p in module.parameters())
    everything = [p for module in method.groups().values() for p in module.parameters()]
    assert len(set(everything)) == len(everything)
    assert set(everything) == set(method.parameters())


def first_losses(kind: str, precision: Any) -> dict[str, float]:
    problem, seen = IMAGE_PROBLEMS[kind](Recipe(epochs=1, batch_size=8)), []
    fabric = Fabric(accelerator="cpu", devices=1, precision=precision)
    Trainer(build(kind), problem, fabric, seed=0).run(lambda epoch, losses: seen.append(losses))
    (losses,) = seen
    return losses  # type: ignore[no-any-return]


@pytest.mark.parametrize("kind", IMAGE_PROBLEMS)
def test_losses_in_half_precision_are_near(kind: str) -> None:
    half, double = first_losses(kind, "bf16-mixed"), first_losses(kind, "64-true")
    # Noise is other noise in another precision, so that what is said of generated images differs.
    near = {"task": 0.05, "discriminator": 0.05 if kind == "began" else 0.5, "generator": 0.5}
    for name, value in double.items():
        assert half[name] == pytest.approx(value, rel=near[name])


@pytest.mark.parametrize("kind", IMAGE_PROBLEMS)
def test_a_run_taken_up_again_ends_with_the_same_bits(kind: str) -> None:
    problem, states = IMAGE_PROBLEMS[kind](), {}
    fabric = Fabric(accelerator="cpu", devices=1)
    whole = Trainer(build(kind), problem, fabric, seed=0)
    whole.run(lambda epoch, losses: states.setdefault(epoch, deepcopy(whole.state_dict())))
    resumed = Trainer(build(kind), problem, fabric, seed=0)
    resumed.load_state_dict(states[2])
    resumed.run(lambda epoch, losses: None)
    ends = whole.method.state_dict(), resumed.method.state_dict()
    assert all(torch.equal(a, b) for a, b in zip(ends[0].values(), ends[1].values()))
    assert not all(torch.equal(a, b) for a, b in zip(ends[0].values(), states[2]["method"].values()))


@pytest.mark.parametrize(
    ("kind", "matched", "layers", "blocks"),
    [
        ("autoencoder", ("autoencoder",), 9, 8),
        ("dcgan", ("generator", "discriminator"), 10, 8),  # none reaches from one network into the other
        ("began", ("discriminator",), 16, 15),
    ],
)
def test_what_is_matched(kind: str, matched: tuple[str, ...], layers: int, blocks: int) -> None:
    method = build(kind)
    assert isinstance(method, JointIRLS)
    assert method.matched == matched
    assert (len(method.layers.names), len(method.layers.blocks)) == (layers, blocks)
    parts = [{name.partition(".")[0] for name in block} for block in method.layers.blocks]
    assert kind != "dcgan" or all(len(part) == 1 for part in parts)


def test_a_pull_follows_the_step_of_the_network_that_it_pulls() -> None:
    method = build("dcgan").double()
    assert isinstance(method, JointIRLS)
    method.trade_off = 2.0
    for place, batch in enumerate(map(in_double, one_of_each("dcgan"))):
        torch.manual_seed(place)
        stepped(method, batch)  # networks come apart
    method.before_epoch(1, 0.1, SURVEY)
    alone = deepcopy(method.learner(1))
    others = [deepcopy(method.learner(place)) for place in (0, 2)]
    batch = in_double(one_of_each("dcgan")[1])
    torch.manual_seed(5)
    stepped(method, batch)

    torch.manual_seed(5)
    for update in alone.steps(batch.samples):
        (objective,) = update.objectives
        (name,) = objective.on
        descend(alone.get_submodule(name), objective.loss)
        layers = layers_of(alone.get_submodule(name))
        for layer_name, layer in layers.items():
            blocks = 1 if layer_name in (next(iter(layers)), next(reversed(layers))) else 2  # the ends are in one block
            for parameter_name, theta in layer.named_parameters():
                where = f"{name}.{layer_name}.{parameter_name}"
                total = sum(other.get_parameter(where).detach() for other in others)
                pull = 2 * LR * 2.0 * blocks
                theta.data = (theta.data + pull * total) / (1 + pull * len(others))
    assert_same(method.learner(1), alone)


def test_began_is_pulled_in_its_discriminator_alone() -> None:
    pulled, alone = build("began", "joint_irls:trade_off=50"), build("began", "isolated")
    for method in (pulled, alone):
        for place, batch in enumerate(one_of_each("began")):
            method.before_epoch(0, 0.0, SURVEY)
            torch.manual_seed(place)
            stepped(method, batch)
    first, second = (method.learner(0) for method in (pulled, alone))
    assert_same(first.get_submodule("generator"), second.get_submodule("generator"))
    weights = (layers_of(learner.get_submodule("discriminator"))["0"].weight for learner in (first, second))
    assert not torch.equal(*weights)


@pytest.mark.parametrize(
    ("kind", "name", "common"),
    [
        ("autoencoder", "isolated", {"autoencoder": 0}),
        ("autoencoder", "l2_reg_25", {"autoencoder": 2}),
        ("autoencoder", "l2_reg_50", {"autoencoder": 4}),
        ("autoencoder", "share_all", {"autoencoder": 9}),
        ("dcgan", "l2_reg_25", {"generator": 1, "discriminator": 1}),
        ("dcgan", "l2_reg_50", {"generator": 2, "discriminator": 2}),
        ("dcgan", "share_all", {"generator": 5, "discriminator": 5}),
        ("began", "l2_reg_25", {"generator": 0, "discriminator": 4}),
        ("began", "share_all", {"generator": 0, "discriminator": 16}),
    ],
)
def test_the_first_layers_of_each_matched_network_are_shared(kind: str, name: str, common: dict[str, int]) -> None:
    method = build(kind, name)
    assert isinstance(method, HardSharing)
    for part, expected in common.items():
        ours, theirs = (layers_of(method.learner(place).get_submodule(part)).values() for place in (0, 2))
        shared = [a.weight is b.weight for a, b in zip(ours, theirs)]
        assert shared == [True] * expected + [False] * (len(ours) - expected)
    named = {group.removeprefix("common_") for group in method.groups() if group.startswith("common_")}
    assert named == {part for part, count in common.items() if count}


@pytest.mark.parametrize("kind", IMAGE_PROBLEMS)
def test_finetuning_starts_from_the_common_networks(kind: str) -> None:
    method = build(kind, "pretrain_finetune")
    pretrain, finetune = method.stages()
    start = deepcopy(method.matched_network(2).state_dict())
    for batch in one_of_each(kind):
        for update in pretrain.steps(batch, 0.0):
            Stepper(method, (), PLAIN, Fabric(accelerator="cpu", devices=1)).step(update)
    assert all(torch.equal(a, b) for a, b in zip(method.matched_network(2).state_dict().values(), start.values()))
    common = deepcopy(method.matched_network(0).state_dict())
    assert not all(torch.equal(a, b) for a, b in zip(common.values(), start.values()))
    assert finetune.begin is not None
    finetune.begin()
    parameters = dict(method.matched_network(2).named_parameters())
    assert all(torch.equal(parameter, common[name]) for name, parameter in parameters.items())


def test_an_update_goes_by_the_names_of_its_domain() -> None:
    a, b = torch.zeros(()), torch.ones(())
    update = Update(a, on=("one",), log={"loss": a}, then=print) & Update(b, on=("one", "two"))
    renamed = update.named({"one": ("one_1",), "two": ("common_two", "two_1")})
    assert [objective.on for objective in renamed.objectives] == [("one_1",), ("one_1", "common_two", "two_1")]
    assert [objective.loss for objective in renamed.objectives] == [a, b]
    assert (renamed.log, renamed.then, update.groups) == (update.log, print, ("one", "two"))


def test_networks_and_tasks_that_do_not_fit_are_refused() -> None:
    with pytest.raises(OptionError, match="a network for generation, but got `AutoEncoder`"):
        learner_for(AutoEncoder(1, 16, width=1), Generation())
    with pytest.raises(OptionError, match="a network for completion, but got `DCGAN`"):
        learner_for(DCGAN(1, 16, width=1), Completion(3))
    with pytest.raises(OptionError, match="a network for classification, but got `BEGAN`"):
        learner_for(BEGAN(1, 16, width=1), Classification(("a", "b")))
    with pytest.raises(SettingError, match="Expected images with a hole"):
        next(build("autoencoder").steps(one_of_each("dcgan")[0], 0.0))
    problem = joint_problem()
    learner = learner_for(backbone_for(problem), problem.outputs[0])  # type: ignore[arg-type]
    with pytest.raises(SettingError, match="Expected labels in every domain"):
        next(learner.steps(one_of_each("dcgan")[0].samples))
