"""The loop: stages, schedules, clipping, precision, determinism, divergence."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from lightning.fabric import Fabric
from small_problems import images_problem, problem_for, vectors_problem
from torch import Tensor, nn

from isthmus.data.batches import Share, UnsupervisedBatch
from isthmus.data.loaders import steps_per_epoch
from isthmus.data.problems import Problem
from isthmus.data.recipes import Recipe, Schedule
from isthmus.data.tasks import Setting
from isthmus.engine.checkpoints import load_checkpoint, save_checkpoint
from isthmus.engine.hardware import Hardware
from isthmus.engine.parts import Part
from isthmus.engine.stepping import Stepper, make_optimizer
from isthmus.engine.trainer import Trainer
from isthmus.errors import DivergenceError, OptionError, RunFolderError
from isthmus.experiments.networks import backbone_for
from isthmus.methods import SingleBackbone, Stage, Update, build_method
from isthmus.methods.base import Reach
from isthmus.nn.backbones import MLPBackbone, build_backbone
from isthmus.nn.pull import Pull


class Spy(SingleBackbone[UnsupervisedBatch]):
    """A method of two stages that remembers when each was called; the second freezes the backbone."""

    setting = Setting.UNSUPERVISED

    def __init__(self) -> None:
        super().__init__()
        self.backbone = MLPBackbone(8, hidden=4, layers=1)
        self.head = nn.Linear(4, 2)
        self.calls: list[tuple[str, float]] = []

    def stages(self) -> tuple[Stage[UnsupervisedBatch], ...]:
        return (
            Stage(
                "whole",
                lambda batch, progress: self.spied("whole", batch, progress),
                until=0.5,
                begin=lambda: self.calls.append(("begin whole", 0.0)),
            ),
            Stage(
                "head",
                lambda batch, progress: self.spied("head", batch, progress),
                frozen=("backbone",),
                begin=lambda: self.calls.append(("begin head", 0.0)),
            ),
        )

    def spied(self, name: str, batch: UnsupervisedBatch, progress: float) -> Iterator[Update]:
        self.calls.append((name, progress))
        yield from self.steps(batch, progress)

    def steps(self, batch: UnsupervisedBatch, progress: float) -> Iterator[Update]:
        loss = nn.functional.cross_entropy(self.head(self.backbone(batch.source.images)), batch.source.labels)
        yield Update(loss, on=("backbone", "head"), log={"task": loss})


def fabric(precision: str = "32-true") -> Fabric:
    return Fabric(accelerator="cpu", devices=1, precision=precision)  # type: ignore[arg-type]


def trainer(name: str, problem: Problem, *, seed: int = 0, precision: str = "32-true", workers: int = 0) -> Trainer:
    torch.manual_seed(seed)
    method = build_method(name, backbone_for(problem), *problem.outputs)
    return Trainer(method, problem, fabric(precision), seed=seed, workers=workers)


def weights(trained: Trainer) -> list[Tensor]:
    return [value.clone() for value in trained.method.state_dict().values()]


def run(trained: Trainer) -> list[dict[str, float]]:
    losses: list[dict[str, float]] = []
    trained.run(lambda epoch, means: losses.append(means))
    return losses


def test_stages_follow_one_another_and_freeze_what_they_say() -> None:
    problem = vectors_problem(Recipe(epochs=4, steps_per_epoch=2, batch_size=8))
    method = Spy()
    trained = Trainer(method, problem, fabric(), seed=0)
    after: list[list[Tensor]] = []
    trained.run(lambda epoch, losses: after.append([v.clone() for v in method.backbone.state_dict().values()]))
    quarters = (0.0, 0.25, 0.5, 0.75)
    assert method.calls == [
        ("begin whole", 0.0),
        *[("whole", progress) for progress in quarters],
        ("begin head", 0.0),
        *[("head", progress) for progress in quarters],
    ]
    assert not all(torch.equal(a, b) for a, b in zip(after[0], after[1]))
    assert all(torch.equal(a, b) for a, b in zip(after[1], after[3])), "frozen weights and statistics must not move"


def test_a_continued_run_begins_no_stage_again() -> None:
    problem = vectors_problem(Recipe(epochs=4, steps_per_epoch=2, batch_size=8))
    saved: dict[int, dict[str, object]] = {}
    whole = Trainer(Spy(), problem, fabric(), seed=0)
    whole.run(lambda epoch, losses: saved.update({epoch: deepcopy(whole.state_dict())}))
    for epoch, begun in ((1, ["begin head"]), (2, ["begin head"]), (3, [])):
        method = Spy()
        continued = Trainer(method, problem, fabric(), seed=0)
        continued.load_state_dict(saved[epoch])
        continued.run(lambda epoch, losses: None)
        assert [name for name, _ in method.calls if name.startswith("begin")] == begun


def test_a_run_too_short_for_a_stage_is_refused() -> None:
    problem = vectors_problem(Recipe(epochs=1, steps_per_epoch=1, batch_size=8))
    with pytest.raises(OptionError, match=r"stage `head`, until 1 of the run, gets none of 1\..*`--epochs`"):
        Trainer(Spy(), problem, fabric(), seed=0)


@pytest.mark.parametrize(
    ("schedule", "left"), [("annealed", 3.5**-0.75), ("cosine", 0.5 + 0.125**0.5), ("constant", 1.0)]
)
def test_learning_rates_follow_the_schedule_and_the_backbone_factor(schedule: Schedule, left: float) -> None:
    problem = vectors_problem(Recipe(lr=0.1, backbone_lr_factor=0.5, schedule=schedule))
    for pretrained, expected in ((False, 0.1), (True, 0.05)):
        method = Spy()
        method.backbone.pretrained = pretrained
        stepper = Stepper(method, (), problem.recipe, fabric())
        stepper.schedule(0.25)
        rates = {name: optimizer.param_groups[0]["lr"] for name, optimizer in stepper.optimizers.items()}
        assert rates == pytest.approx({"backbone": expected * left, "head": 0.1 * left})


@pytest.mark.parametrize("clip_norm", [0.01, 1e6])
def test_an_update_is_clipped_by_its_own_norm(clip_norm: float) -> None:
    recipe = Recipe(lr=1.0, momentum=0.0, weight_decay=0.0, schedule="constant", clip_norm=clip_norm)
    method = Spy()
    before = torch.cat([p.detach().flatten().clone() for p in method.parameters()])
    loss = 100 * sum(p.square().sum() for p in method.parameters())
    assert isinstance(loss, Tensor)
    Stepper(method, (), recipe, fabric()).step(Update(loss, on=("backbone", "head")))
    moved = before - torch.cat([p.detach().flatten() for p in method.parameters()])
    expected = min(float((200 * before).norm()), clip_norm)
    assert float(moved.norm()) == pytest.approx(expected, rel=1e-3)


def test_groups_of_a_simultaneous_update_descend_their_own_losses() -> None:
    recipe = Recipe(lr=0.1, momentum=0.0, weight_decay=0.0, schedule="constant")
    method = Spy()
    weight, bias = method.head.weight, method.head.bias
    start = weight.detach().clone(), bias.detach().clone(), method.backbone.layers[0].weight.detach().clone()  # type: ignore[union-attr, operator]
    on_head = weight.sum() + bias.sum() + method.backbone.layers[0].weight.sum()  # type: ignore[union-attr, operator]
    on_both = 3 * (weight.sum() + method.backbone.layers[0].weight.sum())  # type: ignore[union-attr, operator]
    update = Update(on_head, on=("head",)) & Update(on_both, on=("head", "backbone"))
    Stepper(method, (), recipe, fabric()).step(update)
    torch.testing.assert_close(weight, start[0] - 0.1 * (1 + 3))
    torch.testing.assert_close(bias, start[1] - 0.1)
    torch.testing.assert_close(method.backbone.layers[0].weight, start[2] - 0.1 * 3)  # type: ignore[union-attr]


def test_stages_of_the_backbone_learn_at_their_own_rates() -> None:
    """One step of plain SGD on the sum of all weights moves each by its rate."""
    recipe = Recipe(optimizer="sgd", lr=0.1, momentum=0.0, weight_decay=0.0, stage_lr_decay=0.5, schedule="constant")
    backbone = build_backbone("mlp:layers=3,hidden=4", (8,), frozen_stages=1)
    method = build_method("source_only", backbone, 2)
    before = {name: value.clone() for name, value in method.named_parameters()}
    stepper = Stepper(method, (), recipe, fabric())
    stepper.schedule(0.0)
    total = torch.stack([parameter.sum() for parameter in method.parameters()]).sum()
    stepper.step(Update(total, on=("backbone", "head")))
    rates = {"backbone.layers.0": 0.0, "backbone.layers.3": 0.05, "backbone.layers.6": 0.1, "head": 0.1}
    after = dict(method.named_parameters())
    for name, rate in rates.items():
        torch.testing.assert_close(after[f"{name}.weight"], before[f"{name}.weight"] - rate)


@pytest.mark.parametrize(("optimizer", "expected"), [("sgd", 0.1 / (1 - 0.9)), ("adam", 0.1 / 3)])
def test_what_follows_a_step_sees_new_weights_and_how_far_they_go(optimizer: Any, expected: float) -> None:
    """A constant gradient of 1 gathers momentum; Adam divides by the gradients of 3 that it has seen."""
    recipe = Recipe(optimizer=optimizer, lr=0.1, momentum=0.9, weight_decay=0.0)
    method = build_method("source_only", build_backbone("mlp:hidden=4", (8,)), 2)
    stepper = Stepper(method, (), recipe, fabric())
    weight, seen = method.head.weight, []
    before = weight.detach().clone()

    def then(reach: Reach) -> None:
        seen.append((reach(weight), weight.detach().clone()))

    stepper.schedule(0.0)
    stepper.step(Update(3 * weight.sum(), on=("head",), then=then))
    ((reach, after),) = seen
    torch.testing.assert_close(torch.as_tensor(reach).expand_as(weight), torch.full_like(weight, expected))
    assert torch.equal(after, weight)
    assert (after < before).all()


def test_what_no_loss_has_reached_has_the_reach_of_its_first_step() -> None:
    """Adam's first step is the learning rate whatever the gradient."""
    recipe = Recipe(optimizer="adam", lr=0.1, weight_decay=0.0, schedule="constant")
    method = build_method("source_only", build_backbone("mlp:hidden=4", (8,)), 2)
    weight, bias = method.head.weight, method.head.bias
    start = weight.detach().clone(), bias.detach().clone()
    pull = Pull([weight, bias], [torch.zeros_like(weight), torch.zeros_like(bias)], [0.5, 0.5])  # type: ignore[list-item, arg-type]
    Stepper(method, (), recipe, fabric()).step(Update(weight.sum(), on=("head",), then=pull.step))
    torch.testing.assert_close(bias, start[1] / (1 + 2 * 0.1 * 0.5))
    torch.testing.assert_close(weight, (start[0] - 0.1) / (1 + 2 * 0.1 * 0.5))


def test_a_step_that_overflows_in_half_precision_is_skipped_whole() -> None:
    method = Spy()
    stepper = Stepper(method, (), Recipe(optimizer="adam"), fabric())
    stepper.scaler = torch.amp.GradScaler("cpu", init_scale=65536.0)
    before, called = [p.detach().clone() for p in method.head.parameters()], []
    for size in (torch.inf, 1.0):
        loss = size * method.head.weight.sum()
        stepper.step(Update(loss, on=("head",), then=lambda reach: called.append(reach(method.head.weight))))
        if size == torch.inf:
            assert not called
            assert all(torch.equal(now, then) for now, then in zip(method.head.parameters(), before))
    assert len(called) == 1
    assert torch.as_tensor(called[0]).isfinite().all()


def test_the_same_seed_gives_the_same_bits(method_name: str) -> None:
    problem = problem_for(method_name)
    if problem.setting is not Setting.ASSISTED:
        problem = replace(problem, backbone="digits")  # with dropout
    first, second, other = (trainer(method_name, problem, seed=seed) for seed in (0, 0, 1))
    assert run(first) == run(second)
    assert all(torch.equal(a, b) for a, b in zip(weights(first), weights(second)))
    run(other)
    assert not all(torch.equal(a, b) for a, b in zip(weights(first), weights(other)))


def test_workers_change_nothing() -> None:
    problem = replace(images_problem(), backbone="digits")
    alone, helped = trainer("dann", problem), trainer("dann", problem, workers=1)
    assert run(alone) == run(helped)
    assert all(torch.equal(a, b) for a, b in zip(weights(alone), weights(helped)))


@pytest.mark.parametrize("precision", ["bf16-mixed", "64-true"])
def test_other_precisions_train(method_name: str, precision: str) -> None:
    """Losses agree with float32's: closely in double, roughly in bfloat16."""
    problem = problem_for(method_name, Recipe(epochs=2, steps_per_epoch=1, batch_size=8, lr=0.01))
    losses = run(trainer(method_name, problem, precision=precision))
    expected = run(trainer(method_name, problem))
    tolerance = 0.1 if precision == "bf16-mixed" else 1e-3
    assert losses[0] == pytest.approx(expected[0], rel=tolerance, abs=tolerance)


def test_weights_stay_float32_under_mixed_precision(method_name: str) -> None:
    trained = trainer(method_name, problem_for(method_name), precision="bf16-mixed")
    run(trained)
    assert {p.dtype for p in trained.method.parameters()} == {torch.float32}


def test_divergence_is_reported_with_what_to_do(method_name: str) -> None:
    problem = problem_for(method_name, Recipe(epochs=30, batch_size=8, lr=1e30, schedule="constant"))
    with pytest.raises(DivergenceError, match=r"became NaN or infinite. Use a smaller `--lr`"):
        run(trainer(method_name, problem))


def test_a_last_step_that_diverges_is_reported_too() -> None:
    problem = vectors_problem(Recipe(epochs=1, steps_per_epoch=1, batch_size=8, lr=1e38, schedule="constant"))
    with pytest.raises(DivergenceError, match="weights became NaN or infinite"):
        run(trainer("source_only", problem))


def test_batches_that_processes_cannot_share_are_refused() -> None:
    with pytest.raises(OptionError, match=r"2 processes can share evenly, but got 9. Use `--batch-size 8`"):
        steps_per_epoch(vectors_problem(Recipe(batch_size=9)), processes=2)


def test_float16_is_refused_without_a_gpu() -> None:
    with pytest.raises(OptionError, match="Expected a GPU for `precision` 16-mixed, but got a CPU"):
        Hardware(accelerator="cpu", precision="16-mixed").fabric()


@pytest.mark.parametrize("options", [{"workers": 1.5}, {"devices": 0}, {"devices": 1.0}, {"num_nodes": True}])
def test_numbers_of_processes_are_whole(options: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match=f"Expected `{next(iter(options))}`"):
        Hardware(**options)


def test_a_damaged_checkpoint_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.pt"
    save_checkpoint(path, {"epoch": 3, "weights": torch.ones(5)})
    assert load_checkpoint(path)["epoch"] == 3
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(RunFolderError, match=r"checkpoint.pt is damaged\. Start anew with `--overwrite`"):
        load_checkpoint(path)


@pytest.mark.parametrize("optimizer", ["adam", "adamw"])
def test_momentum_is_adams_first_decay_rate(optimizer: Any) -> None:
    weight = nn.Parameter(torch.zeros(()))
    adam = make_optimizer(Recipe(optimizer=optimizer, momentum=0.5, weight_decay=0.0), [weight], lr=0.1)
    for gradient in (1.0, 3.0):
        weight.grad = torch.tensor(gradient)
        adam.step()
    moment, square = (0.5 * 0.5 * 1 + 0.5 * 3) / (1 - 0.5**2), (0.999 * 0.001 + 0.001 * 9) / (1 - 0.999**2)
    assert weight.item() == pytest.approx(-0.1 - 0.1 * moment / square**0.5, rel=1e-4)


def test_every_stage_has_the_whole_schedule_times_its_own_factor(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a period of the cosine over the four steps of either stage."""
    problem = vectors_problem(Recipe(epochs=4, steps_per_epoch=2, batch_size=8, lr=0.1, schedule="cosine"))
    method, seen = Spy(), []
    whole, head = method.stages()
    monkeypatch.setattr(method, "stages", lambda: (whole, replace(head, lr_factor=0.3)))
    trained = Trainer(method, problem, fabric(), seed=0)

    def spied(name: str, batch: UnsupervisedBatch, progress: float) -> Iterator[Update]:
        seen.append(trained.stepper.optimizers["head"].param_groups[0]["lr"])
        yield from method.steps(batch, progress)

    monkeypatch.setattr(method, "spied", spied)
    run(trained)
    falling = [1.0, 0.5 + 0.125**0.5, 0.5, 0.5 - 0.125**0.5]
    assert seen == pytest.approx([0.1 * factor for factor in falling] + [0.03 * factor for factor in falling])


def test_every_epoch_and_process_draws_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes, two epochs, two steps each."""
    drawn: list[float] = []

    def spied(name: str, batch: UnsupervisedBatch, progress: float) -> Iterator[Update]:
        drawn.append(torch.rand(()).item())
        return iter(())

    monkeypatch.setattr(Part, "summed", lambda part, own: own)
    for rank in range(2):
        method = Spy()
        monkeypatch.setattr(method, "spied", spied)
        trained = Trainer(method, vectors_problem(Recipe(epochs=2, steps_per_epoch=2, batch_size=8)), fabric(), seed=0)
        trained.part = replace(trained.part, share=Share(rank, 2))
        run(trained)
    assert len(drawn) == len(set(drawn)) == 8


def test_what_a_method_does_between_epochs_leaves_no_mode_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Evaluated before every epoch, it trains in the next; what is frozen stays as it is."""
    method, modes = Spy(), []

    def spied(name: str, batch: UnsupervisedBatch, progress: float) -> Iterator[Update]:
        modes.append((name, method.training, method.backbone.training, method.head.training))
        return method.steps(batch, progress)

    monkeypatch.setattr(method, "spied", spied)
    monkeypatch.setattr(method, "before_epoch", lambda epoch, progress, survey: method.eval())
    run(Trainer(method, vectors_problem(Recipe(epochs=4, steps_per_epoch=1, batch_size=8)), fabric(), seed=0))
    assert modes == 2 * [("whole", True, True, True)] + 2 * [("head", True, False, True)]
