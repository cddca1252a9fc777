"""Batches: a function of seed, domain and step alone, shared without rest, and silent about the target's labels."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from small_problems import images_problem, vectors_problem
from torch import Tensor

from isthmus.data.batches import InductiveBatch, Labelled, Layout, Share, Unlabelled, UnsupervisedBatch
from isthmus.data.inputs import ImageInput, VectorInput
from isthmus.data.loaders import DrawnBatches, batches, look, steps_of, steps_per_epoch
from isthmus.data.problems import Domain, Problem
from isthmus.data.recipes import Recipe
from isthmus.data.samples import ArraySamples
from isthmus.data.tasks import Classification, Labels, Setting
from isthmus.errors import DataError


def numbered(source: int = 23, target: int = 17, batch_size: int = 5) -> Problem:
    """Vectors that hold their own index, with the index modulo 3 as their class."""
    task = Classification(("a", "b", "c"))
    values = [torch.arange(float(size))[:, None].expand(-1, 8) for size in (source, target)]
    problem = vectors_problem(Recipe(batch_size=batch_size))
    return replace(
        problem,
        domains=(
            Domain("here", ArraySamples(values[0]), Labels(task, torch.arange(source) % 3)),
            Domain("there", ArraySamples(values[1])),
        ),
        input=VectorInput(8),
        exams=(),
    )


def augmented() -> Problem:
    """Images with random crops and flips."""
    values = torch.randint(256, (20, 3, 12, 12), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    task = Classification(("a", "b"))
    return Problem(
        name="augmented",
        domains=(
            Domain("here", ArraySamples(values), Labels(task, torch.arange(20) % 2)),
            Domain("there", ArraySamples(values.flip(0))),
        ),
        input=ImageInput(3, size=8, resize=12),
        backbone="digits",
        recipe=Recipe(batch_size=4),
    )


def tensors(batch: UnsupervisedBatch) -> tuple[Tensor, Tensor, Tensor]:
    return batch.source.images, batch.source.labels, batch.target.images


def drawn(
    problem: Problem, *, seed: int = 0, start: int = 0, stop: int, share: Share = Share(), workers: int = 0
) -> list[UnsupervisedBatch]:
    return list(batches(problem, seed=seed, start=start, stop=stop, share=share, workers=workers))


def equal(first: list[UnsupervisedBatch], second: list[UnsupervisedBatch]) -> bool:
    assert len(first) == len(second)
    return all(torch.equal(a, b) for x, y in zip(first, second) for a, b in zip(tensors(x), tensors(y)))


@pytest.mark.parametrize("start", [1, 3, 5, 8])
def test_starting_late_equals_skipping(start: int) -> None:
    assert equal(drawn(augmented(), start=start, stop=12), drawn(augmented(), stop=12)[start:])


def test_seeds_and_domains_draw_their_own() -> None:
    problem = replace(numbered(20, 20), recipe=Recipe(batch_size=20))
    assert equal(drawn(problem, stop=3), drawn(problem, stop=3))
    one, other = drawn(problem, stop=1)[0], drawn(problem, seed=1, stop=1)[0]
    assert not torch.equal(one.source.images, other.source.images)
    assert not torch.equal(one.target.images, other.target.images)
    assert not torch.equal(one.source.images, one.target.images)


def test_every_sample_comes_at_most_once_a_pass_and_labels_belong_to_their_samples() -> None:
    problem = numbered(source=23, target=20, batch_size=5)  # four full batches of either
    for one_pass in range(3):
        seen = drawn(problem, start=4 * one_pass, stop=4 * one_pass + 4)
        source = torch.cat([batch.source.images[:, 0] for batch in seen]).long()
        target = torch.cat([batch.target.images[:, 0] for batch in seen]).long()
        assert len(set(source.tolist())) == 20
        assert sorted(target.tolist()) == list(range(20))
        assert torch.equal(torch.cat([batch.source.labels for batch in seen]), source % 3)


def test_domains_pass_at_their_own_pace() -> None:
    """Ten steps: two passes over the source, and three and a third over the target."""
    seen = drawn(numbered(source=25, target=15, batch_size=5), stop=10)
    source = torch.cat([batch.source.images[:, 0] for batch in seen]).long()
    target = torch.cat([batch.target.images[:, 0] for batch in seen]).long()
    assert source.bincount(minlength=25).tolist() == [2] * 25
    assert sorted(target.bincount(minlength=15).tolist()) == [3] * 10 + [4] * 5


@pytest.mark.parametrize("world", [2, 4])
def test_shares_are_parts_of_the_whole_batch(world: int) -> None:
    problem = numbered(40, 24, batch_size=8)
    whole = drawn(problem, stop=7)
    shares = [drawn(problem, stop=7, share=Share(rank, world)) for rank in range(world)]
    for step, batch in enumerate(whole):
        parts = [tensors(share[step]) for share in shares]
        assert all(len(part[0]) == len(part[2]) == 8 // world for part in parts)
        for place, expected in enumerate(tensors(batch)):
            assert torch.equal(torch.cat([part[place] for part in parts]), expected)


def test_workers_change_nothing() -> None:
    assert equal(drawn(augmented(), start=2, stop=9, workers=2), drawn(augmented(), start=2, stop=9))


def test_drawing_leaves_the_global_random_state_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(3)
    torch.manual_seed(3)
    drawn(augmented(), stop=3)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.parametrize(
    ("source", "target", "batch_size", "steps"), [(23, 17, 5, 3), (17, 23, 5, 3), (10, 10, 10, 1), (19, 50, 10, 1)]
)
def test_an_epoch_ends_with_the_first_domain_that_has_no_full_batch(
    source: int, target: int, batch_size: int, steps: int
) -> None:
    problem = numbered(source, target, batch_size)
    assert steps_per_epoch(problem) == steps
    assert steps_per_epoch(replace(problem, recipe=Recipe(batch_size=batch_size, steps_per_epoch=7))) == 7


def test_a_domain_smaller_than_a_batch_is_refused() -> None:
    with pytest.raises(DataError, match=r"`there` has 17 samples, fewer than a batch of 18. Use `--batch-size 17`"):
        steps_per_epoch(numbered(23, 17, batch_size=18))
    with pytest.raises(DataError, match=r"`there` has 1 samples, fewer than a batch of 2. Add samples."):
        steps_per_epoch(numbered(23, 1, batch_size=2))
    with pytest.raises(DataError, match="fewer than a batch"):
        steps_per_epoch(replace(numbered(23, 17), recipe=Recipe(batch_size=18, steps_per_epoch=1)))


def test_an_unlabelled_domain_offers_no_labels_anywhere() -> None:
    """What the trainer is given: the domain, its data set and its batches know nothing of the exam."""
    problem = images_problem()
    assert problem.exam is not None
    assert problem.target.labels is None
    data = DrawnBatches(problem.target, problem.input)
    batch = drawn(problem, stop=1)[0]
    assert isinstance(batch.source, Labelled)
    assert type(batch.target) is Unlabelled
    hidden = problem.exam.labels
    for holder in (problem.target, problem.target.samples, data, batch, batch.target):
        held = list(vars(holder).values())
        assert not any(value is hidden or value is hidden.values or isinstance(value, Labels) for value in held)
        assert not hasattr(holder, "exam")


def several(*sizes: int, batch_size: int = 5, steps_per_epoch: int | None = None) -> Problem:
    """Labelled domains whose vectors hold their own index; two of them have other classes."""
    domains = []
    for place, size in enumerate(sizes):
        task = Classification(tuple("abc"[: 2 + place % 2]))
        values = torch.arange(float(size))[:, None].expand(-1, 8)
        labels = Labels(task, torch.arange(size) % task.num_classes)
        domains.append(Domain(str(place), ArraySamples(values), labels))
    recipe = Recipe(batch_size=batch_size, steps_per_epoch=steps_per_epoch)
    return replace(numbered(), domains=tuple(domains), recipe=recipe)


def test_an_inductive_batch_has_the_labels_of_both_domains() -> None:
    problem = several(23, 17)
    assert problem.setting is Setting.INDUCTIVE
    assert steps_per_epoch(problem) == 3
    for batch in batches(problem, seed=0, start=0, stop=6):
        assert isinstance(batch, InductiveBatch)
        assert torch.equal(batch.source.labels, batch.source.images[:, 0].long() % 2)
        assert torch.equal(batch.target.labels, batch.target.images[:, 0].long() % 3)


@pytest.mark.parametrize(("fixed", "turns"), [(None, (4, 3, 2)), (2, (2, 2, 2))])
def test_joint_domains_take_turns_of_an_epoch_each(fixed: int | None, turns: tuple[int, ...]) -> None:
    problem = several(23, 17, 14, steps_per_epoch=fixed)
    assert problem.setting is Setting.JOINT
    assert steps_per_epoch(problem) == sum(turns)
    seen = list(batches(problem, seed=0, start=0, stop=2 * sum(turns)))
    order = [place for place, count in enumerate(turns) for _ in range(count)]
    assert [batch.domain for batch in seen] == 2 * order
    for batch in seen:
        classes = 2 + batch.domain % 2
        assert torch.equal(batch.samples.labels, batch.samples.images[:, 0].long() % classes)


@pytest.mark.parametrize("start", range(1, 18))
def test_joint_batches_too_are_functions_of_their_step(start: int) -> None:
    problem = several(23, 17, 14)
    whole = list(batches(problem, seed=0, start=0, stop=18))[start:]
    late = list(batches(problem, seed=0, start=start, stop=18))
    assert [batch.domain for batch in late] == [batch.domain for batch in whole]
    assert all(torch.equal(a.samples.images, b.samples.images) for a, b in zip(late, whole, strict=True))


def test_a_look_at_a_domain_shows_every_sample_once_shuffled_as_prediction_sees_it() -> None:
    problem = augmented()
    (labelled,), (unlabelled,) = (list(look(problem, place, Layout(torch.device("cpu")))) for place in (0, 1))
    stored = problem.source.samples.read(torch.arange(20), torch.Generator())
    images = problem.input.evaluate(stored)
    order = [next(i for i in range(20) if torch.equal(image, images[i])) for image in labelled.images]
    assert sorted(order) == list(range(20)) != order
    assert labelled.labels.tolist() == [i % 2 for i in order]
    assert isinstance(unlabelled, Unlabelled)


def test_passes_are_shuffled_anew() -> None:
    problem = replace(numbered(20, 20), recipe=Recipe(batch_size=20))
    first, second = drawn(problem, stop=2)
    for one, other in zip(tensors(first), tensors(second)):
        assert sorted(one.flatten().tolist()) == sorted(other.flatten().tolist())
        assert not torch.equal(one, other)


def test_augmentation_is_drawn_anew_at_every_step_and_in_every_process() -> None:
    """Of images that are all the same, at the same place of two passes, in two processes."""
    plain = augmented()
    same = ArraySamples(plain.source.samples.read(torch.zeros(20, dtype=torch.long), torch.Generator()))
    problem = replace(plain, domains=tuple(replace(domain, samples=same) for domain in plain.domains))
    shares = [drawn(problem, stop=6, share=Share(rank, 2)) for rank in range(2)]
    seen = [share[step] for share in shares for step in (0, 5)]
    for part in ("source", "target"):
        images = [getattr(batch, part).images for batch in seen]
        assert not any(torch.equal(one, other) for place, one in enumerate(images) for other in images[:place])


def test_shares_have_parts_of_the_whole_batchs_noise() -> None:
    problem = numbered(40, 24, batch_size=8)
    shares = [drawn(problem, stop=3, share=Share(rank, 2)) for rank in range(2)]
    for step, batch in enumerate(drawn(problem, stop=3)):
        parts = [share[step].noise(4) for share in shares]
        assert [part.shape for part in parts] == 2 * [(4, 4)]
        assert torch.equal(torch.cat(parts), batch.noise(4))


def test_noise_is_the_same_in_every_precision() -> None:
    (batch,) = drawn(numbered(8, 8, batch_size=8), stop=1)
    double = batch.to(Layout(torch.device("cpu"), torch.float64)).noise(7)
    assert torch.equal(batch.noise(7).double(), double)


def test_joint_domains_that_take_turns_by_the_batch_are_mixed_evenly() -> None:
    """Of four batches, two and one, the last stands in the middle, and an epoch reads the same backwards."""
    problem = several(20, 10, 5)
    order = [0, 1, 0, 2, 0, 1, 0]
    assert [batch.domain for batch in batches(problem, seed=0, start=0, stop=14, turns="batch")] == 2 * order
    assert list(steps_of(problem, "batch", (1, 2))) == [1, 3, 5]
