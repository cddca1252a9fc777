"""The assisted setting: its losses by hand, what HeadFreeze freezes, and who may see the target's main labels."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from lightning.fabric import Fabric
from small_problems import one_batch, pixels_problem
from torch import Tensor, nn

from isthmus.data.batches import Anchored, Layout
from isthmus.data.loaders import batches
from isthmus.data.pixelwise import AnchoredTasks, Depth, Keypoints, PixelLabels, SurfaceNormals
from isthmus.data.problems import Exam, Problem
from isthmus.data.recipes import Recipe
from isthmus.engine.trainer import Trainer
from isthmus.errors import DataError, OptionError, SettingError
from isthmus.experiments.networks import backbone_for
from isthmus.experiments.run import check_startable
from isthmus.methods import Method, build_method
from isthmus.methods.anchored import EVERY, AnchoredMethod
from isthmus.methods.terms.adversary import shown_outputs
from isthmus.methods.terms.feature_adversary import FeatureAdversary
from isthmus.methods.terms.output_adversary import OutputAdversary
from isthmus.nn.balance import BATCHES, TaskBalance
from isthmus.nn.dense import Dense

RECIPE = Recipe(epochs=4, batch_size=8, optimizer="adam", lr=0.01)
WEIGHT = 0.3
DOUBLE = Layout(torch.device("cpu"), torch.float64)


def build(name: str, problem: Problem) -> AnchoredMethod:
    torch.manual_seed(0)
    method = build_method(name, backbone_for(problem), *problem.outputs)
    assert isinstance(method, AnchoredMethod)
    return method


def trained(method: Method[Any], problem: Problem) -> list[dict[str, Tensor]]:
    """The state after each epoch."""
    states: list[dict[str, Tensor]] = []
    trainer = Trainer(method, problem, Fabric(accelerator="cpu", devices=1), seed=0)
    trainer.run(lambda epoch, losses: states.append({k: v.clone() for k, v in method.state_dict().items()}))
    return states


def pixel_by_pixel(dense: Dense, labels: dict[str, Tensor]) -> dict[str, float]:
    """Mean losses over labelled pixels, a pixel at a time in float64, bilinear weights by hand."""
    sums = {"normals": [0.0, 0], "segmentation": [0.0, 0]}
    some = next(iter(labels.values()))
    for n in range(len(some)):
        for y in range(some.shape[-2]):
            for x in range(some.shape[-1]):
                if "normals" in labels and bool(labels["normals"][n, :, y, x].isfinite().all()):
                    maps = dense.maps["normals"][n]
                    value = bilinear(maps / maps.norm(dim=0), y, x)
                    truth = labels["normals"][n, :, y, x].double()
                    sums["normals"][0] += 1 - float(value @ truth / value.norm() / truth.norm())
                    sums["normals"][1] += 1
                if "segmentation" in labels and int(labels["segmentation"][n, y, x]) != 255:
                    scores = bilinear(dense.maps["segmentation"][n], y, x)
                    sums["segmentation"][0] -= float(scores.log_softmax(0)[labels["segmentation"][n, y, x]])
                    sums["segmentation"][1] += 1
    return {task: total / count for task, (total, count) in sums.items() if count}


def bilinear(maps: Tensor, y: int, x: int) -> Tensor:
    """The value of maps of half the resolution at a pixel's middle."""
    value = torch.zeros(len(maps), dtype=maps.dtype)
    for row, high in weights(y, maps.shape[1]):
        for column, wide in weights(x, maps.shape[2]):
            value += high * wide * maps[:, row, column]
    return value


def weights(place: int, size: int) -> list[tuple[int, float]]:
    at = max((place + 0.5) / 2 - 0.5, 0.0)
    low = int(at)
    return [(low, 1 - (at - low)), (min(low + 1, size - 1), at - low)]


@pytest.mark.parametrize(
    ("name", "terms"),
    [
        ("baseline", {"source": ("normals",)}),
        ("mtl_source_anchor", {"source": ("normals", "segmentation")}),
        ("mtl_target_anchor", {"source": ("normals",), "target": ("segmentation",)}),
        ("mtl_both", {"source": ("normals", "segmentation"), "target": ("segmentation",)}),
        ("headfreeze", {"source": ("normals", "segmentation"), "target": ("segmentation",)}),
        ("oracle", {"source": ("normals", "segmentation"), "target": ("normals", "segmentation")}),
    ],
)
def test_each_method_descends_the_terms_of_its_equation(name: str, terms: dict[str, tuple[str, ...]]) -> None:
    problem = replace(pixels_problem(side=16), recipe=Recipe(batch_size=2))
    method = build(name if name == "baseline" else f"{name}:anchor_weight={WEIGHT}", problem).double()
    batch = next(batches(problem, seed=0, start=0, stop=1, oracle=method.oracle)).to(DOUBLE)
    (update,) = method.steps(batch, 0.0)
    with torch.no_grad():
        outputs = {part: method.network(getattr(batch, part).images) for part in ("source", "target")}
    expected = 0.0
    for domain, tasks in terms.items():
        part = getattr(batch, domain)
        known = {**getattr(part, "main", {}), **part.anchors}
        losses = pixel_by_pixel(outputs[domain], {task: known[task] for task in tasks})
        expected += sum((WEIGHT if task == "segmentation" else 1) * loss for task, loss in losses.items())
    (objective,) = update.objectives
    torch.testing.assert_close(objective.loss.item(), expected)
    assert set(update.log) == {f"{task}_{domain}" for domain, tasks in terms.items() for task in tasks}


@pytest.mark.parametrize("batch_norm", ["separate", "joint"])
def test_the_second_stage_leaves_the_head_bit_for_bit(batch_norm: str) -> None:
    problem = pixels_problem(replace(RECIPE, batch_norm=batch_norm))  # type: ignore[arg-type]
    method = build("headfreeze", problem)
    states = trained(method, problem)
    frozen = {"network.ups.2", "network.maps", "network.vectors"}
    for name, value in states[1].items():
        if name.startswith("network"):
            same = torch.equal(value, states[3][name])
            assert same == any(name.startswith(part) for part in frozen), name
    assert any("ups.2" in name and "skip" in name for name in states[1])
    assert any("ups.2" in name and "running_mean" in name for name in states[1])


def test_the_first_stage_is_training_on_the_source() -> None:
    """Half a run of HeadFreeze ends where `mtl_source_anchor` does after as many steps."""
    problem = pixels_problem(replace(RECIPE, schedule="constant"))
    first = trained(build("headfreeze", problem), problem)[1]
    alone = trained(build("mtl_source_anchor", problem), problem)[1]
    assert all(torch.equal(first[name], alone[name]) for name in alone)


def test_the_baseline_does_not_look_at_the_target_or_at_anchors() -> None:
    problem = pixels_problem(RECIPE)
    others = pixels_problem(RECIPE)
    assert others.source.pixels is not None
    assert others.target.pixels is not None
    main, anchor = others.source.pixels.tasks
    known = others.source.pixels.values
    flipped = PixelLabels({main: known[main], anchor: known[anchor].flip(0)})
    dark = replace(others.target, pixels=PixelLabels({anchor: others.target.pixels.values[anchor].flip(0)}))
    others = replace(others, domains=(replace(others.source, pixels=flipped), dark))
    ends = [trained(build("baseline", variant), variant)[-1] for variant in (problem, others)]
    assert all(torch.equal(a, b) for a, b in zip(ends[0].values(), ends[1].values()))


def test_the_targets_batch_has_no_field_for_main_labels() -> None:
    batch = one_batch("mtl_both")
    assert isinstance(batch.target, Anchored)
    assert not hasattr(batch.target, "main")
    assert set(batch.target.anchors) == {"segmentation"}
    assert set(batch.source.main) == {"normals"}


def test_an_oracle_is_refused_unless_the_problem_gives_labels_for_it() -> None:
    problem = replace(pixels_problem(RECIPE), oracle=None)
    with pytest.raises(SettingError, match=r"main labels, but problem `blocks` gives none for it\. Leave the method"):
        trained(build("oracle", problem), problem)


def test_several_main_tasks_need_no_new_code() -> None:
    """Normals and depth count, segmentation helps."""
    problem = pixels_problem(RECIPE)
    assert problem.source.pixels is not None
    depth = 2 + torch.rand(24, 64, 64, generator=torch.Generator().manual_seed(0))
    both = replace(problem.source, pixels=PixelLabels({Depth(): depth, **problem.source.pixels.values}))
    problem = replace(problem, domains=(both, problem.target), exams=(), oracle=None)
    assert [task.name for task in problem.tasks.main] == ["depth", "normals"]
    method = build("headfreeze", problem)
    trained(method, problem)
    assert set(method.network.maps) == {"depth", "normals", "segmentation"}


def test_adversaries_begin_when_it_is_time() -> None:
    problem = pixels_problem(replace(RECIPE, epochs=4))
    method = build("baseline+feature_adversary:start=0.5", problem)
    names: list[set[str]] = []
    trainer = Trainer(method, problem, Fabric(accelerator="cpu", devices=1), seed=0)
    trainer.run(lambda epoch, losses: names.append(set(losses)))
    assert names == [{"normals_source"}] * 2 + [{"normals_source", "domain"}] * 2


def test_a_feature_adversary_reverses_the_gradient() -> None:
    """The encoder climbs the discriminator's loss times the weight, the discriminator descends it."""
    method = build("baseline+feature_adversary:weight=0.5,noise=0", pixels_problem(RECIPE)).double()
    (adversary,) = method.adversaries
    assert isinstance(adversary, FeatureAdversary)
    batch = one_batch("baseline").to(DOUBLE)
    parameters = [method.network.encoder.stages[0][0].weight, next(adversary.parameters())]  # type: ignore[index]
    dense = method.network.both(batch.source.images, batch.target.images)
    logits = [adversary.discriminators["layer-4"](part.features["layer-4"]).flatten() for part in dense]
    plain = domains_told(*logits)
    expected = torch.autograd.grad(plain, parameters, retain_graph=True)
    update = adversary.update(*dense, EVERY)
    assert update.groups == ("encoder", "feature_adversary")
    torch.testing.assert_close(update.log["domain"], plain)
    found = torch.autograd.grad(update.objectives[0].loss, parameters)
    torch.testing.assert_close(found, (-0.5 * expected[0], expected[1]))
    assert expected[0].abs().max() > 1e-7


def test_an_output_adversary_passes_the_target_for_the_source() -> None:
    """Its discriminator learns the domains alone; the network that the target's outputs be taken for the source's."""
    method = build("mtl_both+output_adversary:weight=0.3,noise=0", pixels_problem(RECIPE)).double()
    (adversary,) = method.adversaries
    assert isinstance(adversary, OutputAdversary)
    batch = one_batch("mtl_both").to(DOUBLE)
    dense = method.network.both(batch.source.images, batch.target.images)
    shown = [
        torch.cat([part.maps["normals"] / part.maps["normals"].norm(dim=1, keepdim=True), probabilities], dim=1)
        for part in dense
        for probabilities in [part.maps["segmentation"].exp() / part.maps["segmentation"].exp().sum(1, keepdim=True)]
    ]
    logits = [adversary.discriminator(outputs).flatten() for outputs in shown]
    learned, fooled = adversary.update(*dense, EVERY).objectives
    assert (learned.on, fooled.on) == (("output_adversary",), EVERY)
    torch.testing.assert_close(learned.loss, domains_told(*logits))
    torch.testing.assert_close(fooled.loss, -0.3 * (1 - logits[1].sigmoid()).log().mean())


def domains_told(source: Tensor, target: Tensor) -> Tensor:
    """The cross-entropy of logits for the target, by hand, both domains weighing the same."""
    return -((1 - source.sigmoid()).log().mean() + target.sigmoid().log().mean()) / 2


@pytest.mark.parametrize(
    ("depths", "before"),
    [
        ("layer-3", ("encoder",)),
        ("layer-4", ("encoder",)),
        ("up-1", ("encoder", "decoder")),
        ("up-3", ("encoder", "decoder", "head")),
        ("out", ("encoder", "decoder", "head")),
        ("layer-4/out", ("encoder", "decoder", "head")),
        ("layer-4/up-3", ("encoder", "decoder", "head")),
        ("up-3/out", ("encoder", "decoder", "head")),
    ],
)
def test_every_placement_of_the_discriminator_in_table_5(depths: str, before: tuple[str, ...]) -> None:
    """Each discriminator learns, and so does all that lies before the deepest of them."""
    method = build(f"mtl_both+feature_adversary:depths={depths},noise=0", pixels_problem(RECIPE))
    (adversary,) = method.adversaries
    assert isinstance(adversary, FeatureAdversary)
    assert list(adversary.discriminators) == depths.split("/")
    batch = one_batch("mtl_both")
    dense = method.network.both(batch.source.images, batch.target.images)
    update = adversary.update(*dense, ("encoder", "decoder", "head"))
    assert update.groups == (*before, "feature_adversary")
    groups = method.groups()
    for part in (*adversary.discriminators.values(), *(groups[name] for name in before)):
        parameters = list(part.parameters())
        gradients = torch.autograd.grad(update.objectives[0].loss, parameters, retain_graph=True, allow_unused=True)
        assert any(gradient is not None and gradient.abs().max() > 0 for gradient in gradients)


def test_a_discriminator_of_outputs_sees_unit_normals_and_probabilities() -> None:
    method = build("mtl_both+feature_adversary:depths=out", pixels_problem(RECIPE))
    batch = one_batch("mtl_both")
    dense = method.network(batch.source.images)
    shown = shown_outputs(method.tasks.every, dense)
    directions = dense.maps["normals"] / dense.maps["normals"].square().sum(dim=1, keepdim=True).sqrt()
    exponentials = dense.maps["segmentation"].exp()
    torch.testing.assert_close(shown[:, :3], directions)
    torch.testing.assert_close(shown[:, 3:], exponentials / exponentials.sum(dim=1, keepdim=True))


def test_weights_bring_losses_to_one_magnitude_and_then_stay() -> None:
    balance = TaskBalance(["main", "anchor"])
    shown = {"main": torch.tensor(2.0), "anchor": torch.tensor(0.5)}
    for _ in range(BATCHES):
        found = balance(shown)
    assert {task: weight.item() for task, weight in found.items()} == {"main": 1.0, "anchor": 4.0}
    later = balance({"main": torch.tensor(100.0), "anchor": torch.tensor(100.0)})
    assert later["anchor"].item() == 4.0


def test_batches_without_a_label_of_a_task_say_nothing_of_its_size() -> None:
    """Labelled in two batches of many, with losses of 4 and 6, the anchor weighs 2 / 5."""
    balance = TaskBalance(["main", "anchor"])
    for place in range(BATCHES + 10):
        anchor = {5: 4.0, 25: 6.0}.get(place, 0.0)
        weights = balance({"main": torch.tensor(2.0), "anchor": torch.tensor(anchor)})
    assert weights["anchor"].item() == pytest.approx(2 / 5)


def test_a_keypoint_anchor_trains_beside_the_main_task() -> None:
    """Its loss begins near one, which the balance is taken from, so that it goes on counting."""
    problem = pixels_problem(RECIPE)
    assert problem.source.pixels is not None
    main, _ = problem.source.pixels.tasks
    task = Keypoints(("nose", "chin"), side=problem.input.shape[1], deviation=6.0)
    drawn = torch.rand(48, 2, 3, generator=torch.Generator().manual_seed(0)) * torch.tensor([64.0, 64.0, 1.0])
    points_s, points_t = drawn.split(24)
    source = PixelLabels({main: problem.source.pixels.values[main], task: points_s})
    target = PixelLabels({task: points_t})
    domains = (replace(problem.source, pixels=source), replace(problem.target, pixels=target))
    problem = replace(problem, domains=domains, exams=(), oracle=None)
    method = build("mtl_both", problem)
    losses: list[dict[str, float]] = []
    trainer = Trainer(method, problem, Fabric(accelerator="cpu", devices=1), seed=0)
    trainer.run(lambda epoch, means: losses.append(dict(means)))
    assert 0.1 < method.balance.totals[0] / method.balance.totals[1] < 10
    assert losses[-1]["keypoints_target"] < losses[0]["keypoints_target"]


def test_options_out_of_range_and_unknown_places_are_refused() -> None:
    problem = pixels_problem(RECIPE)
    for name, message in (
        ("headfreeze:converge=1", "Expected `converge` below 1"),
        ("mtl_both:anchor_weight=0", "Expected a positive `anchor_weight`"),
        ("baseline+feature_adversary:depths=outputs", "Expected `depths` to be one of"),
        ("baseline+feature_adversary:depths=out/out", "Expected each of `depths` once, but got `out/out`"),
        ("baseline+feature_adversary+feature_adversary", "Expected each term once"),
        ("baseline+dfa", "is for methods of the unsupervised setting"),
    ):
        with pytest.raises(OptionError, match=message):
            build(name, problem)


@pytest.mark.parametrize("short", ["exam", "oracle"])
def test_an_exam_or_an_oracle_without_a_main_task_is_refused(short: str) -> None:
    problem = pixels_problem(RECIPE)
    assert problem.source.pixels is not None
    anchor = problem.source.pixels.tasks[1]
    known = PixelLabels({anchor: problem.source.pixels.values[anchor]})
    wrong: dict[str, Any] = {"exams": (Exam("tested", problem.source.samples, known),), "oracle": known}
    part = {"exam": "exams"}.get(short, short)
    with pytest.raises(DataError, match=r"labels of all main tasks, .*normals.*, but it has those of .*segmentation"):
        replace(problem, **{part: wrong[part]})


@pytest.mark.parametrize(
    ("term", "epochs", "side", "message"),
    [
        (
            "feature_adversary:start=0.7",
            3,
            64,
            r"`start` of `feature_adversary` to leave an epoch of 3, but got 0\.7.*`--epochs 4`",
        ),
        ("output_adversary", 4, 32, "images of at least 64 pixels a side for `output_adversary`"),
    ],
)
def test_adversaries_that_could_not_begin_are_refused_at_the_start(
    term: str, epochs: int, side: int, message: str
) -> None:
    problem = replace(pixels_problem(side=side), recipe=replace(RECIPE, epochs=epochs))
    with pytest.raises(OptionError, match=message):
        check_startable([f"baseline+{term}"], problem, processes=1)


def test_two_domains_of_the_same_tasks_are_no_assisted_problem() -> None:
    problem = pixels_problem(RECIPE)
    with pytest.raises(SettingError, match="expected a source with labels of main and anchor tasks"):
        _ = replace(problem, domains=(problem.source, problem.source), oracle=None).setting


def test_tasks_are_told_from_labels() -> None:
    problem = pixels_problem(RECIPE)
    (outputs,) = problem.outputs
    assert isinstance(outputs, AnchoredTasks)
    assert outputs.main == (SurfaceNormals(),)


def test_the_groups_have_learning_rates_of_their_own() -> None:
    """A discriminator's is `lr_factor` times the recipe's, a pretrained encoder's the recipe's share."""
    name = "mtl_both+feature_adversary:lr_factor=3+output_adversary:lr_factor=0.25"
    method = build(name, pixels_problem(RECIPE))
    rates = {"encoder": 0.5, "decoder": 0.5, "head": 0.5, "feature_adversary": 1.5, "output_adversary": 0.125}
    assert method.learning_rates(0.5, 0.25) == rates
    method.network.encoder.pretrained = True
    assert method.learning_rates(0.5, 0.25) == rates | {"encoder": 0.125}


def test_each_stage_of_the_encoder_learns_at_a_share_of_the_rate_of_the_next() -> None:
    method = build("baseline", pixels_problem(RECIPE))
    factors = method.stage_rates(0.5)
    found = [{factors[parameter] for parameter in stage.parameters()} for stage in method.network.encoder.stages]
    assert found == [{0.125}, {0.25}, {0.5}, {1.0}]
    assert factors.keys() == set(method.network.encoder.parameters())


def test_the_loss_of_several_discriminators_is_their_mean() -> None:
    depths = ("layer-3", "up-1", "up-3")
    method = build(f"mtl_both+feature_adversary:depths={'/'.join(depths)},noise=0", pixels_problem(RECIPE)).double()
    (adversary,) = method.adversaries
    assert isinstance(adversary, FeatureAdversary)
    batch = one_batch("mtl_both").to(DOUBLE)
    dense = method.network.both(batch.source.images, batch.target.images)
    losses = []
    for depth in depths:
        logits = [adversary.discriminators[depth](part.features[depth]).flatten() for part in dense]
        losses.append(domains_told(*logits).item())
    update = adversary.update(*dense, EVERY)
    assert update.objectives[0].loss.item() == pytest.approx(sum(losses) / 3)


@pytest.mark.parametrize("name", ["feature_adversary", "output_adversary"])
def test_a_discriminator_sees_maps_with_noise_of_the_deviation_asked_for(name: str) -> None:
    method = build(f"mtl_both+{name}:noise=0.7", pixels_problem(RECIPE))
    (adversary,) = method.adversaries
    seen: list[Tensor] = []
    first = next(module for module in adversary.modules() if isinstance(module, nn.Conv2d))
    first.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    batch = one_batch("mtl_both")
    dense = method.network.both(batch.source.images, batch.target.images)
    adversary.update(*dense, EVERY)
    for part, shown in zip(dense, seen, strict=True):
        maps = part.features["layer-4"] if name == "feature_adversary" else shown_outputs(method.tasks.every, part)
        assert (shown - maps).square().mean().sqrt().item() == pytest.approx(0.7, rel=0.1)


def test_the_second_stage_has_a_learning_rate_of_its_own() -> None:
    source, below = build("headfreeze:below_lr=0.25", pixels_problem(RECIPE)).stages()
    assert (source.lr_factor, below.lr_factor) == (1.0, 0.25)
