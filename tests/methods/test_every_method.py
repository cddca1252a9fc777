"""What holds for every registered method: its losses are alive, and a step does what its updates say."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import pytest
import torch
from lightning.fabric import Fabric
from small_problems import one_batch, problem_for, some_batches
from torch import Tensor

from isthmus.data.batches import DomainBatch, Layout
from isthmus.data.loaders import look
from isthmus.data.pixelwise import PixelLabels
from isthmus.data.problems import Exam, Problem
from isthmus.data.recipes import Recipe
from isthmus.data.tasks import Labels
from isthmus.engine.stepping import Stepper
from isthmus.engine.trainer import Trainer
from isthmus.experiments.networks import backbone_for
from isthmus.methods import Method, Update, build_method
from isthmus.nn.classifiers import Classifier

PROGRESS = 0.5


def build(name: str, batch_norm: str = "separate", dtype: torch.dtype = torch.float32) -> Method[Any]:
    torch.manual_seed(0)
    problem = problem_for(name)
    problem = replace(problem, recipe=replace(problem.recipe, batch_norm=batch_norm))  # type: ignore[arg-type]
    method = build_method(name, backbone_for(problem), *problem.outputs)
    method.to(dtype).before_epoch(0, PROGRESS, Quiet(problem, dtype))
    return method


class Quiet(NamedTuple):
    """A survey of a problem without a progress bar."""

    problem: Problem
    dtype: torch.dtype

    @property
    def domains(self) -> Sequence[int]:
        return range(len(self.problem.domains))

    def samples(self, domain: int) -> Iterator[DomainBatch]:
        return look(self.problem, domain, Layout(torch.device("cpu"), self.dtype))

    def track(self, title: str, total: int) -> Callable[[int], None]:
        return lambda done: None


def updates(method: Method[Any], batch: Any) -> Iterator[Update]:
    """The updates of a batch in every stage, one stage after the other."""
    for stage in method.stages():
        if stage.begin is not None:
            stage.begin()
        yield from stage.steps(batch, PROGRESS)


def gradients(loss: Tensor, method: Method[Any]) -> dict[str, float]:
    """Norm of a loss's gradient on each group."""
    norms = {}
    for name, group in method.groups().items():
        parts = torch.autograd.grad(loss, list(group.parameters()), retain_graph=True, allow_unused=True)
        norms[name] = sum(float(part.norm()) for part in parts if part is not None)
    return norms


def test_every_loss_trains_every_group_it_claims(method_name: str) -> None:
    method = build(method_name)
    for update in updates(method, one_batch(method_name)):
        for objective in update.objectives:
            norms = gradients(objective.loss, method)
            assert set(objective.on) <= set(norms)
            assert all(norms[name] > 1e-7 for name in objective.on), norms


def test_every_logged_loss_reaches_some_parameter(method_name: str) -> None:
    method = build(method_name)
    for update in updates(method, one_batch(method_name)):
        assert update.log
        for name, loss in update.log.items():
            assert sum(gradients(loss, method).values()) > 1e-7, name


def test_every_parameter_is_trained_by_some_update(method_name: str) -> None:
    """Or its group is frozen in every stage: a copy that only follows another network."""
    method = build(method_name)
    never = set.intersection(*(set(stage.frozen) for stage in method.stages()))
    trained = {
        name for batch in some_batches(method_name) for update in updates(method, batch) for name in update.groups
    }
    owners = {id(p): name for name, group in method.groups().items() for p in group.parameters()}
    assert {owners[id(p)] for p in method.parameters()} - never <= trained
    assert never <= set(method.groups())


@pytest.mark.parametrize("batch_norm", ["separate", "joint", "frozen"])
def test_engine_step_equals_a_hand_written_loop(method_name: str, batch_norm: str) -> None:
    """The oracle: float64, the plain memory layout, each group's gradient from each of its losses alone, plain SGD."""
    recipe = Recipe(optimizer="sgd", lr=0.1, momentum=0.0, weight_decay=0.0, schedule="constant")
    engine, by_hand = (build(method_name, batch_norm, torch.float64) for _ in range(2))
    batch = one_batch(method_name).to(Layout(torch.device("cpu"), torch.float64))
    stepper = Stepper(engine, (), recipe, Fabric(accelerator="cpu", devices=1))
    layout = Layout(torch.device("cpu"), torch.float64, channels_last=True)
    engine.to(memory_format=torch.channels_last).train()
    for update in updates(engine, batch.to(layout)):
        stepper.step(update)

    by_hand.train()
    groups = by_hand.groups()
    for update in updates(by_hand, batch):
        steps: dict[Tensor, Tensor] = {}
        for objective in update.objectives:
            for name in objective.on:
                for parameter in groups[name].parameters():
                    (part,) = torch.autograd.grad(objective.loss, parameter, retain_graph=True, allow_unused=True)
                    if part is not None:
                        steps[parameter] = steps.get(parameter, torch.zeros_like(parameter)) + part
        rates = by_hand.learning_rates(0.1, 1.0)
        owners = {parameter: name for name, group in groups.items() for parameter in group.parameters()}
        with torch.no_grad():
            for parameter, gradient in steps.items():
                parameter -= rates[owners[parameter]] * gradient
            if update.then is not None:
                update.then(lambda parameter: 0.1)

    for (name, got), (_, expected) in zip(engine.state_dict().items(), by_hand.state_dict().items()):
        torch.testing.assert_close(got, expected, rtol=1e-8, atol=1e-10, msg=lambda m, name=name: f"{name}: {m}")


def test_there_is_a_predictor_for_every_domain_that_counts(method_name: str) -> None:
    assert len(build(method_name).predictors()) == len(problem_for(method_name).measured)


@pytest.mark.parametrize(
    ("name", "others"),
    [
        ("dann", []),
        ("mcd", ["first", "second"]),
        ("dfa_mcd", ["first", "second"]),
        ("symnets", ["source"]),
        ("symnets:without=target_task", ["target"]),
        ("symnets+entropy", ["source"]),
    ],
)
def test_classifiers_that_are_measured_beside_the_result(name: str, others: list[str]) -> None:
    method = build(name).eval()
    (network,) = method.predictors()
    assert isinstance(network, Classifier)
    images = one_batch(name).target.images
    found = {other: head(network.backbone(images)) for other, head in method.other_classifiers().items()}
    assert list(found) == others
    for logits in found.values():
        assert logits.shape == network(images).shape
        assert not torch.equal(logits, network(images))


def with_wrong_labels(problem: Problem) -> Problem:
    """Other labels wherever no training but an oracle's may see them."""

    def wrong(exam: Exam) -> Exam:
        if isinstance(exam.truth, PixelLabels):
            (main,) = problem.tasks.main
            return replace(exam, truth=PixelLabels({main: exam.truth.values[main].flip(0)}))
        return replace(exam, truth=Labels(exam.truth.task, exam.truth.values.flip(0)))

    assert problem.exams
    exams = tuple(map(wrong, problem.exams))
    return replace(problem, exams=exams, oracle=problem.oracle and exams[0].pixels)


def test_unlabelled_batches_have_no_labels() -> None:
    assert not hasattr(one_batch().target, "labels")


def test_target_labels_cannot_change_training(method_name: str) -> None:
    """The same run with the exam's labels shuffled ends with the same weights."""
    problem = problem_for(method_name, Recipe(epochs=1, batch_size=8))
    ends = []
    for variant in (problem, with_wrong_labels(problem)):
        method = build(method_name)
        Trainer(method, variant, Fabric(accelerator="cpu", devices=1), seed=0).run(lambda epoch, losses: None)
        ends.append(method.state_dict())
    same = all(torch.equal(a, b) for a, b in zip(ends[0].values(), ends[1].values()))
    assert same is not method_name.startswith("oracle")
