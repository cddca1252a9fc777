"""JTLN: the joint objective with transport, when the categories are compared, and where their costs come from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import ot
import pytest
import torch
from lightning.fabric import Fabric
from small_problems import RECIPE, one_batch, other_classes_problem
from torch import nn

from isthmus.data.batches import DomainBatch, Layout
from isthmus.data.loaders import look
from isthmus.data.tasks import Classification
from isthmus.engine.trainer import Trainer
from isthmus.errors import DataError, OptionError
from isthmus.methods.base import Plan
from isthmus.methods.inductive import jtln
from isthmus.methods.inductive.jtln import JTLN
from isthmus.methods.registry import build_method
from isthmus.nn.backbones import build_backbone

PROBLEM = other_classes_problem()


class Counted:
    """A survey of the problem that counts how often each domain was looked at."""

    def __init__(self) -> None:
        self.looks: list[int] = []

    def samples(self, domain: int) -> Iterator[DomainBatch]:
        self.looks.append(domain)
        return look(PROBLEM, domain, Layout(torch.device("cpu")))

    def track(self, title: str, total: int) -> Callable[[int], None]:
        return lambda done: None


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ISTHMUS_CACHE", str(tmp_path / "cache"))


def build(options: str = "") -> JTLN:
    torch.manual_seed(0)
    backbone = build_backbone(PROBLEM.backbone, PROBLEM.input.shape)
    method = build_method(f"jtln:{options}" if options else "jtln", backbone, *PROBLEM.outputs)
    assert isinstance(method, JTLN)
    return method


@pytest.mark.parametrize(("progress", "strength"), [(0.4, 0.0), (0.7, 2 / (1 + np.exp(-5)) - 1)])
def test_the_loss_is_the_papers_objective(progress: float, strength: float) -> None:
    """Recomputed with POT's Sinkhorn for every sample, from the method's own logits and costs."""
    method = build("start=0.4,gamma=10,source_weight=0.5,transport_weight=0.3,sharpness=5")
    method.before_epoch(3, 0.4, Counted())
    batch = one_batch("jtln").to(Layout(torch.device("cpu"), torch.float64))
    (update,) = method.double().train().steps(batch, progress)

    features_s, features_t = method.backbone(batch.source.images), method.backbone(batch.target.images)
    logits_s, logits_t = method.source_head(features_s), method.head(features_t)
    p, q = method.source_head(features_t).softmax(1), logits_t.softmax(1)
    costs = method.cost.double().numpy()
    transport = 0.0
    for first, second in zip(p.detach().numpy(), q.detach().numpy()):
        plan = ot.sinkhorn(first, second, costs, reg=1 / 5, stopThr=1e-12, numItermax=10000)
        transport += float((plan * costs).sum()) / len(p)
    expected = (
        nn.functional.nll_loss(logits_t.log_softmax(1), batch.target.labels)
        + 0.5 * nn.functional.nll_loss(logits_s.log_softmax(1), batch.source.labels)
        + 0.3 * strength * transport
    )
    assert update.objectives[0].loss.item() == pytest.approx(expected.item(), abs=1e-4)
    assert update.log["transport"].item() == pytest.approx(transport, abs=1e-4)


def test_transport_waits_for_features_unless_they_come_pretrained() -> None:
    survey, method = Counted(), build()
    assert method.start == 0.3
    method.before_epoch(0, 0.0, survey)
    assert survey.looks == []
    (update,) = method.steps(one_batch("jtln"), 0.1)
    assert "transport" not in update.log
    method.before_epoch(1, 0.3, survey)
    method.before_epoch(2, 0.6, survey)
    assert survey.looks == [0, 0, 1]
    (update,) = method.train().steps(one_batch("jtln"), 0.6)
    assert "transport" in update.log

    backbone = build_backbone(PROBLEM.backbone, PROBLEM.input.shape)
    backbone.pretrained = True
    assert JTLN(backbone, *PROBLEM.outputs).start == 0  # type: ignore[arg-type]


def test_costs_are_refreshed_from_the_present_features() -> None:
    survey, method = Counted(), build("start=0,refresh=2")
    found = []
    for epoch in range(5):
        method.before_epoch(epoch, epoch / 5, survey)
        found.append(method.cost.clone())
        with torch.no_grad():
            for parameter in method.backbone.parameters():
                parameter += 0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(epoch))
    assert survey.looks == [0, 1, *[0, 0, 1] * 2]  # before epochs 0, 2 and 4, first for the source's statistics
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[1], found[2])
    assert all(costs.max() == 1 for costs in found)


def test_costs_survive_a_checkpoint() -> None:
    method, other, survey = build("start=0"), build("start=0"), Counted()
    method.before_epoch(0, 0.0, survey)
    other.load_state_dict(method.state_dict())
    looks = len(survey.looks)
    other.before_epoch(1, 0.5, survey)
    assert len(survey.looks) == looks
    assert torch.equal(other.findings()["category_costs"], method.cost)


@pytest.mark.parametrize("metric", ["mkmmd", "mkmmd_quadratic", "ot", "euclidean", "cosine"])
def test_classes_that_look_alike_are_close(metric: str) -> None:
    """The target here shows the source's own images: each class is nearest to itself."""
    survey, method = Counted(), build(f"start=0,cost={metric}")
    survey.samples = lambda domain: look(PROBLEM, 0, Layout(torch.device("cpu")))  # type: ignore[method-assign]
    method.cost.resize_(3, 3)
    method.before_epoch(0, 0.0, survey)
    assert method.cost.argmin(dim=0).tolist() == [0, 1, 2]


@pytest.mark.parametrize("trained", [True, False])
def test_features_learned_so_far_are_normalised_by_each_domains_own_statistics(trained: bool) -> None:
    """Then a source of other brightness and contrast, which the first batch norm takes away, costs the same."""

    class Brighter(Counted):
        def samples(self, domain: int) -> Iterator[DomainBatch]:
            for batch in super().samples(domain):
                yield replace(batch, images=batch.images * 1.5 + 2) if domain == 0 else batch

    costs, epoch = [], 2 if trained else 0
    for survey in (Counted(), Brighter()):
        method = build("start=0,cost=euclidean")
        before = {name: value.clone() for name, value in method.state_dict().items() if "running" in name}
        method.before_epoch(epoch, epoch / 5, survey)
        assert all(torch.equal(method.state_dict()[name], value) for name, value in before.items())
        costs.append(method.cost)
    assert torch.allclose(*costs, atol=1e-3) == trained


def test_costs_do_not_depend_on_what_stands_beside_what(monkeypatch: pytest.MonkeyPatch) -> None:
    """Images that come in bursts of two: pairs of neighbours are not what a category's images are to each other."""
    seen = []
    monkeypatch.setattr(jtln, "category_costs", lambda *samples, **_: seen.append(samples) or torch.ones(3, 2))
    build("start=0").before_epoch(0, 0.0, Counted())
    samples = PROBLEM.domains[0].samples
    images = PROBLEM.input.evaluate(samples.read(torch.arange(len(samples)), torch.Generator()))
    with torch.no_grad():
        stored = build().eval().backbone(images)
    ((source, _),) = seen
    beside = (source.features.unsqueeze(1) == stored).all(dim=2).float().argmax(dim=1)
    assert sorted(beside.tolist()) == list(range(len(stored)))
    assert (beside.diff() == 1).float().mean() < 0.2


def test_only_the_source_classifier_and_the_features_follow_a_detached_target() -> None:
    for detach, reached in (("false", True), ("true", False)):
        method = build(f"start=0,detach_target={detach}")
        method.before_epoch(0, 0.0, Counted())
        (update,) = method.train().steps(one_batch("jtln"), 0.9)
        gradients = torch.autograd.grad(
            update.log["transport"], [method.source_head.weight, method.head.weight], allow_unused=True
        )
        assert gradients[0] is not None
        assert (gradients[1] is not None) == reached


def test_a_table_of_costs(tmp_path: Path) -> None:
    table = tmp_path / "costs.csv"
    table.write_text(",right,left\nbottom,2,4\ntop,0,1\nmiddle,3,1\n")
    method = build(f"cost={table}")
    assert (method.start, method.transports) == (0.0, True)
    torch.testing.assert_close(method.cost, torch.tensor([[1.0, 0.0], [1.0, 3.0], [4.0, 2.0]]) / 4)
    survey = Counted()
    method.before_epoch(0, 0.0, survey)
    assert survey.looks == []


def test_costs_of_names() -> None:
    assert build("cost=text").cost.shape == (3, 2)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ("cost=mmkmd", "did you mean `mkmmd`"),
        ("start=1", "`start` of at least 0 and below 1"),
        ("sharpness=0", "positive `sharpness`"),
        ("transport_weight=-1", "`transport_weight` of at least 0"),
        ("refresh=-1", "`refresh` of at least 0"),
        ("cost=text,refresh=2", "`refresh` 0 with `cost=text`, which no feature changes, but got 2"),
    ],
)
def test_options_out_of_range_are_refused(options: str, error: str) -> None:
    with pytest.raises(OptionError, match=error):
        build(options)


@pytest.mark.parametrize(
    ("options", "plan", "error"),
    [
        ("", Plan((8,), 4, ((5, 1, 1), (4, 4))), "at least 2 .*got 1 of `b` and too few of 1 more"),
        ("cost=ot", Plan((8,), 4, ((5, 1, 1), (0, 4))), "at least 1 .*got 0 of `u`"),
    ],
)
def test_classes_too_small_to_be_compared_are_refused_before_training(options: str, plan: Plan, error: str) -> None:
    method = build(options)
    method.tasks = Classification(tuple("abc")), Classification(tuple("uv"))
    with pytest.raises(DataError, match=error):
        method.check(plan)
    method.check(replace(plan, counts=((5, 2, 2), (1 + (options == ""), 4))))


def test_a_run_that_ends_before_transport_begins_is_refused() -> None:
    with pytest.raises(OptionError, match=r"leave an epoch of 1, but got .* `--epochs 2` or more, or `jtln:start=0`;"):
        build().check(Plan((8,), 1))
    build("start=0").check(Plan((8,), 1))
    for start, enough in ((0.3, 2), (0.5, 2), (0.7, 4), (0.75, 4), (0.9, 10), (0.99, 100)):
        with pytest.raises(OptionError, match=f"`--epochs {enough}` or more"):
            build(f"start={start}").check(Plan((8,), enough - 1))
        build(f"start={start}").check(Plan((8,), enough))


def test_a_table_that_is_not_there_is_refused() -> None:
    with pytest.raises(DataError, match=r"nowhere\.csv"):
        build("cost=nowhere.csv")


def test_the_engine_lets_it_compare_once() -> None:
    method = build("start=0.5")
    costs = []
    trainer = Trainer(method, PROBLEM, Fabric(accelerator="cpu", devices=1), seed=0)
    trainer.run(lambda epoch, losses: costs.append((method.cost.clone(), "transport" in losses)))
    assert [transported for _, transported in costs] == [False, False, True, True]
    assert torch.equal(costs[0][0], torch.ones(3, 2))
    assert torch.equal(costs[2][0], costs[3][0])
    assert RECIPE.epochs == 4


def test_domains_normalised_together_need_no_statistics_of_their_own() -> None:
    """Under a common batch norm both are compared as they are: the source is looked at once."""
    backbone = build_backbone(PROBLEM.backbone, PROBLEM.input.shape, batch_norm="joint")
    method, survey = JTLN(backbone, *PROBLEM.outputs, start=0.0), Counted()  # type: ignore[arg-type]
    method.before_epoch(2, 0.4, survey)
    assert survey.looks == [0, 1]


def test_transport_is_of_the_batch_of_all_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Here another process's predictions are certain of a first class, and moving all mass there costs 0.25."""
    method = build("start=0,cost=euclidean").double()
    method.cost.copy_(torch.tensor([[0.25, 1.0], [0.5, 0.5], [1.0, 0.0]]))
    method.transports = True
    batch = one_batch("jtln").to(Layout(torch.device("cpu"), torch.float64))
    (alone,) = method.steps(batch, 0.9)

    def with_another(part: torch.Tensor) -> torch.Tensor:
        certain = torch.full_like(part, 1e-9)
        certain[:, 0] = 1 - 1e-9 * (part.shape[1] - 1)
        return torch.cat([part, certain])

    monkeypatch.setattr(jtln, "gathered", with_another)
    (update,) = method.steps(batch, 0.9)
    expected = (alone.log["transport"].item() + 0.25) / 2
    assert update.log["transport"].item() == pytest.approx(expected, abs=1e-5)
