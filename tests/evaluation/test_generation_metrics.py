"""Distances and novelty of generated images, where the answer is known."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from isthmus.evaluation.generation import distance, generated, generation_errors, nearest
from isthmus.nn.gans import DCGAN


def blobs(number: int, seed: int, wide: float = 1.0) -> Tensor:
    """Bright discs at random places, (number, 1, 16, 16) from -1 to 1."""
    random = torch.Generator().manual_seed(seed)
    centres = 8 + wide * torch.randn(number, 2, generator=random)
    places = torch.arange(16)
    squares = (places[:, None] - centres[:, 0, None, None]) ** 2 + (places - centres[:, 1, None, None]) ** 2
    return (2 * (-squares / 8).exp() - 1)[:, None]


def test_nearest_is_the_least_of_all_distances() -> None:
    a, b = blobs(5, 0), blobs(7, 1)
    expected = [min(float((x - y).double().square().sum().sqrt()) for y in b) for x in a]
    assert nearest(a, b).tolist() == pytest.approx(expected, rel=1e-5)


def test_the_distance_grows_as_images_part() -> None:
    real = blobs(300, 0)
    same, wider, other = (distance(images, real) for images in (blobs(300, 1), blobs(300, 1, wide=3.0), -blobs(300, 1)))
    assert same < 0.1 * wider < wider < other


def test_copies_are_not_new() -> None:
    training, real = blobs(100, 0), blobs(50, 1)
    assert generation_errors(training[:40], real, training)["novelty"] == pytest.approx(0.0, abs=1e-4)
    assert generation_errors(real, real, training)["novelty"] == pytest.approx(1.0)
    assert generation_errors(-real, real, training)["novelty"] > 3


def test_images_are_a_function_of_the_seed_and_leave_other_random_numbers_alone() -> None:
    torch.manual_seed(0)
    network = DCGAN(1, 16, width=2).generator
    before = torch.get_rng_state()
    images = generated(network, 300, seed=1)
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(images, generated(network, 300, seed=1))
    assert not torch.equal(images, generated(network, 300, seed=2))
    assert images.abs().max() <= 1
