"""Parts of labelled samples: by class, and by draws that stay."""

from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from isthmus.data.samples import ArraySamples
from isthmus.data.splits import LabelledSamples, shuffled
from isthmus.data.tasks import Classification, Labels

CLASSES = ("ant", "bee", "cat")


def of(labels: list[int]) -> LabelledSamples:
    """Sample i is the vector (i, its label)."""
    values = torch.tensor([[place, label] for place, label in enumerate(labels)]).float()
    return LabelledSamples(ArraySamples(values), Labels(Classification(CLASSES), torch.tensor(labels)))


def rows(part: LabelledSamples) -> list[list[float]]:
    return part.samples.read(torch.arange(len(part.labels)), torch.Generator()).tolist()


def test_of_classes_keeps_order_and_numbers_the_classes_anew() -> None:
    part = of([2, 0, 1, 2, 0]).of_classes(("cat", "ant"))
    assert part.labels.task.classes == ("cat", "ant")
    assert part.labels.values.tolist() == [0, 1, 0, 1]
    assert rows(part) == [[0, 2], [1, 0], [3, 2], [4, 0]]


@given(st.lists(st.integers(0, 2), min_size=1, max_size=40), st.integers(1, 12))
def test_a_draw_takes_so_many_of_each_class_and_leaves_the_rest(labels: list[int], number: int) -> None:
    everything = of([*labels, 0, 1, 2])
    drawn, others = everything.draw(number)
    counts = everything.labels.values.bincount()
    assert drawn.labels.values.bincount().tolist() == counts.clamp(max=number).tolist()
    assert sorted(rows(drawn) + rows(others)) == rows(everything)
    for part in (drawn, others):
        assert [label for _, label in rows(part)] == part.labels.values.tolist()
    assert rows(everything.draw(number)[0]) == rows(drawn)


def test_draws_are_random_and_follow_no_order_of_the_samples() -> None:
    drawn, _ = of([0] * 1000 + [1, 2]).draw(100)
    places = torch.tensor(rows(drawn))[:100, 0]
    # mean of 100 of 0…999 without repetition: 499.5 ± 27.4
    assert abs(float(places.mean()) - 499.5) < 4 * 27.4
    assert len(places.unique()) == 100
    assert shuffled(1000).tolist() != list(range(1000))


def test_a_share_is_rounded_down_and_at_least_one() -> None:
    everything = of([0] * 11 + [1] * 2 + [2])
    drawn, others = everything.draw_share(0.25)
    assert drawn.labels.values.bincount().tolist() == [2, 1, 1]
    assert others.labels.values.bincount(minlength=3).tolist() == [9, 1, 0]


def test_a_domain_and_an_exam_hold_the_same_samples_and_labels() -> None:
    part = of([0, 1, 2])
    domain, exam = part.domain("insects"), part.exam("insects")
    assert domain.samples is exam.samples is part.samples
    assert domain.labels is exam.labels is part.labels
    assert (domain.name, exam.name, exam.transductive) == ("insects", "insects", False)
