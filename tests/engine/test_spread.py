"""Networks spread over processes: who trains what, and the bits that one process ends with."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from small_problems import joint_problem

from isthmus.data.batches import JointBatch, Share
from isthmus.data.loaders import batches, steps_of, steps_per_epoch
from isthmus.data.problems import Problem
from isthmus.data.recipes import Recipe
from isthmus.engine.hardware import Hardware
from isthmus.engine.meters import Meter, added, means
from isthmus.engine.parts import Part, part_of
from isthmus.engine.trainer import Trainer
from isthmus.errors import OptionError
from isthmus.experiments.networks import backbone_for
from isthmus.experiments.run import check_startable
from isthmus.methods import Method, build_method
from isthmus.nn.processes import alone, gathered

SCRIPT = Path(__file__).with_name("train_on_devices.py")
PATTERNS = ("last/**/*.safetensors", "selected/**/*.safetensors", "history.json", "metrics.csv", "findings.npz")
TOGETHER = "joint_irls:order=together"
SPREAD = (f"{TOGETHER},trade_off=0.5,initial_share=0.25", "digits")


def launch(*arguments: object) -> int:
    command = [sys.executable, str(SCRIPT), *map(str, arguments)]
    done = subprocess.run(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True, timeout=300)
    return done.returncode


def kept(run: Path) -> dict[str, bytes]:
    found = [path for pattern in PATTERNS for path in run.glob(pattern)]
    return {str(path.relative_to(run)): path.read_bytes() for path in found}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run in one process, one in two, and one in two that was killed, continued in two and in one."""
    out = tmp_path_factory.mktemp("spread")
    assert launch(*SPREAD, 2, out / "resumed-2", 7) != 0
    assert (out / "resumed-2" / "checkpoint.pt").exists()
    assert not (out / "resumed-2" / "result.json").exists()
    shutil.copytree(out / "resumed-2", out / "resumed-1")
    for devices in (1, 2):
        assert launch(*SPREAD, devices, out / f"whole-{devices}", out / f"resumed-{devices}") == 0
    return out


@pytest.mark.parametrize("run", ["whole-2", "resumed-2", "resumed-1"])
def test_every_file_is_that_of_one_process(folder: Path, run: str) -> None:
    expected, actual = kept(folder / "whole-1"), kept(folder / run)
    assert len(expected) == 9
    assert actual.keys() == expected.keys()
    assert [name for name in expected if actual[name] != expected[name]] == []


def test_a_generator_that_was_killed_in_two_processes_ends_as_if_it_was_not(tmp_path: Path) -> None:
    """BEGAN, whose k follows every batch, of which each process has a share."""
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    assert launch("share_all", "began", 2, killed, 12) != 0
    assert (killed / "checkpoint.pt").exists()
    assert not (killed / "result.json").exists()
    assert launch("share_all", "began", 2, whole, killed) == 0
    expected, actual = kept(whole), kept(killed)
    assert len(expected) == 8
    assert actual.keys() == expected.keys()
    assert [name for name in expected if actual[name] != expected[name]] == []


def test_generators_that_are_spread_balance_their_own_errors(tmp_path: Path) -> None:
    """BEGAN in networks of their own: k of each domain follows its own batches, as in one process."""
    for devices in (1, 2):
        assert launch(TOGETHER, "began", devices, tmp_path / str(devices)) == 0
    expected, actual = kept(tmp_path / "1"), kept(tmp_path / "2")
    assert len(expected) == 9
    assert actual.keys() == expected.keys()
    assert [name for name in expected if actual[name] != expected[name]] == []


def test_the_checkpoint_of_one_process_has_the_optimisers_of_all(folder: Path) -> None:
    for run, held in (("whole-1", [6]), ("whole-2", [4, 2])):
        steppers = torch.load(folder / run / "checkpoint.pt")["trainer"]["steppers"]
        assert [len(stepper["optimizers"]) for stepper in steppers] == held


def built(name: str, problem: Problem) -> Method[Any]:
    torch.manual_seed(0)
    return build_method(name, backbone_for(problem), *problem.outputs)


def test_a_process_trains_the_networks_of_its_own_domains() -> None:
    problem = joint_problem()  # with 3, 2 and 3 batches
    method = built(TOGETHER, problem)
    parts = [part_of(method, problem, SimpleNamespace(global_rank=rank, world_size=2)) for rank in range(2)]  # type: ignore[arg-type]
    assert [part.domains for part in parts] == [(0, 1), (2,)]
    assert [part.share for part in parts] == [Share(), Share()]
    assert parts[0].elsewhere == ("backbone_2", "head_2")
    assert parts[1].elsewhere == ("backbone", "head", "backbone_1", "head_1")
    drawn = list(batches(problem, seed=0, start=0, stop=16, places=parts[1].domains))
    every = list(batches(problem, seed=0, start=0, stop=16))
    steps = steps_of(problem, "epoch", parts[1].domains)
    expected = [every[epoch * 8 + step] for epoch in range(2) for step in steps]
    assert [batch.domain for batch in drawn] == [2] * 6
    assert all(torch.equal(a.samples.images, b.samples.images) for a, b in zip(drawn, expected))


@pytest.mark.parametrize(("name", "processes"), [("joint_irls", 2), ("isolated", 2), (TOGETHER, 4)])
def test_others_share_every_batch(name: str, processes: int) -> None:
    problem = joint_problem()
    fabric: Any = SimpleNamespace(global_rank=1, world_size=processes)
    part = part_of(built(name, problem), problem, fabric)
    assert part.share == Share(1, processes)
    assert part.domains == (0, 1, 2)
    assert part.elsewhere == ()


def test_only_shared_batches_must_be_divisible() -> None:
    problem = joint_problem(replace(Recipe(), batch_size=7))
    check_startable([TOGETHER], problem, processes=2)
    with pytest.raises(OptionError, match="2 processes can share evenly"):
        check_startable([TOGETHER, "joint_irls"], problem, processes=2)


def test_the_random_state_is_the_domains_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a network draws does not depend on who was trained before it."""
    problem = joint_problem(Recipe(epochs=1, batch_size=8))
    method = built(TOGETHER, problem)
    drawn: dict[int, list[float]] = {}

    def steps(batch: JointBatch, progress: float) -> Iterator[Any]:
        drawn.setdefault(batch.domain, []).append(torch.rand(()).item())
        return iter(())

    monkeypatch.setattr(method, "steps", steps)
    trainer = Trainer(method, problem, Hardware(accelerator="cpu").fabric(), seed=0)
    trainer.run(lambda epoch, losses: None)
    whole = dict(drawn)
    assert [len(values) for values in whole.values()] == [3, 2, 3]
    assert len({value for values in whole.values() for value in values}) == steps_per_epoch(problem)
    drawn.clear()
    trainer = Trainer(method, problem, Hardware(accelerator="cpu").fabric(), seed=0)
    trainer.part = replace(trainer.part, domains=(1,))
    trainer.run(lambda epoch, losses: None)
    assert drawn == {1: whole[1]}


def test_means_do_not_depend_on_where_sums_were_made() -> None:
    values = torch.rand(20, generator=torch.Generator().manual_seed(0))
    one, parts = Meter(), [Meter(), Meter()]
    for index, value in enumerate(values):
        for meter in (one, parts[index // 12]):
            meter.turn = index // 4
            meter.add({"task": value})
    merged = added([parts[1].sums(), parts[0].sums()])
    assert means(merged) == means(one.sums())
    assert means(merged)["task"] == pytest.approx(values.double().mean().item())


def test_a_mean_weighs_every_turn_by_its_count() -> None:
    meter = Meter()
    for turn, values in ((0, (1.0, 2.0, 3.0)), (1, (10.0,))):
        meter.turn = turn
        for value in values:
            meter.add({"task": torch.tensor(value)})
    assert means(meter.sums()) == {"task": 4.0}


def test_domains_are_dealt_out_by_their_batches_not_by_their_number() -> None:
    """Of domains with 3, 2 and 2 batches, the two that are smaller belong together."""
    problem = joint_problem()
    first, second, _ = problem.domains
    problem = replace(problem, domains=(first, second, replace(second, name="again")), exams=())
    fabric: Any = SimpleNamespace(global_rank=1, world_size=2)
    part = part_of(built(TOGETHER, problem), problem, fabric)
    assert part.owners == (0, 1, 1)
    assert part.domains == (1, 2)


@pytest.mark.parametrize("rank", [0, 1])
def test_a_process_continues_from_its_own_scale(rank: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or from that of the only process there was."""
    monkeypatch.setattr(torch.distributed, "get_rank", lambda: rank)
    part = Part(Share(), (rank,), owners=(0, 1), networks=(("head",), ("head_1",)))
    states = [
        {"optimizers": {"head": {}}, "scaler": {"scale": 8}},
        {"optimizers": {"head_1": {}}, "scaler": {"scale": 4}},
    ]
    assert part.taken(states) == {"optimizers": {"head": {}, "head_1": {}}, "scaler": states[rank]["scaler"]}
    assert part.taken(states[:1])["scaler"] == {"scale": 8}


def test_a_process_is_alone_until_the_outermost_block_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other of two processes, as it were, has the same rows."""
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
    monkeypatch.setattr(torch.distributed, "all_gather", lambda parts, own: [part.copy_(own) for part in parts])
    rows = torch.arange(3.0)
    with alone():
        with alone():
            assert gathered(rows) is rows
        assert gathered(rows) is rows
    assert gathered(rows).tolist() == [0, 1, 2, 0, 1, 2]
