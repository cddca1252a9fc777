"""Running statistics that are left alone, in every kind of batch norm."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from isthmus.errors import OptionError
from isthmus.nn.backbones import build_backbone
from isthmus.nn.batch_norm import running_statistics_kept, statistics_of, synchronise_batch_norm


@pytest.fixture
def one_process() -> Iterator[None]:
    torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(12, 4), nn.BatchNorm1d(4))


def buffers(net: nn.Module) -> list[Tensor]:
    return [buffer.clone() for buffer in net.buffers()]


def same(before: list[Tensor], net: nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(before, net.buffers()))


@pytest.mark.parametrize("synchronised", [False, True])
def test_training_passes_are_the_same_and_leave_no_trace(synchronised: bool, one_process: None) -> None:
    net, images = network(), 3 * torch.randn(8, 2, 4, 4) + 1
    if synchronised:
        synchronise_batch_norm(net)
    before = buffers(net)
    with running_statistics_kept(net):
        kept = net(images)
        assert same(before, net)
    torch.testing.assert_close(net(images), kept)
    assert not same(before, net)


@pytest.mark.parametrize("synchronised", [False, True])
def test_statistics_of_batches_are_means_and_leave_no_trace(synchronised: bool, one_process: None) -> None:
    net, images = nn.Sequential(nn.BatchNorm1d(4)), 3 * torch.randn(17, 4) + 1
    if synchronised:
        synchronise_batch_norm(net)
    net.eval()
    before = buffers(net)
    with statistics_of(net, images.split(8)):  # two of eight, and one that has no variance
        inside = net(images)
    parts = images[:16].unflatten(0, (2, 8))
    mean, variance = parts.mean(dim=(0, 1)), parts.var(dim=1).mean(dim=0)
    torch.testing.assert_close(inside, (images - mean) / (variance + 1e-5).sqrt())
    assert same(before, net)
    assert not any(layer.training for layer in net)
    torch.testing.assert_close(net(images), images / (1 + 1e-5) ** 0.5)


@pytest.mark.parametrize("synchronised", [False, True])
def test_evaluation_inside_uses_the_running_statistics(synchronised: bool, one_process: None) -> None:
    net, images = network(), torch.randn(8, 2, 4, 4)
    if synchronised:
        synchronise_batch_norm(net)
    net(3 * images + 1)
    expected = net.eval()(images)
    with running_statistics_kept(net):
        assert torch.equal(net(images), expected)


def test_an_error_inside_restores_the_layers() -> None:
    net = network()
    net.append(nn.BatchNorm1d(4, track_running_stats=False))
    with pytest.raises(RuntimeError), running_statistics_kept(net):
        net(torch.randn(8, 5, 4, 4))
    assert [layer.track_running_stats for layer in net if hasattr(layer, "track_running_stats")] == [True, True, False]


def test_batch_norm_with_an_activation_is_not_silently_replaced() -> None:
    with pytest.raises(OptionError, match="BatchNormAct2d"):
        synchronise_batch_norm(build_backbone("mobilenetv3_small_050:pretrained=false", (3, 32, 32)))
