"""Encoders by name."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn.functional import batch_norm, conv2d, relu

from isthmus.data.pixelwise import SurfaceNormals
from isthmus.errors import OptionError
from isthmus.nn.dense import DenseNetwork
from isthmus.nn.pyramids import Residual, build_pyramid


def test_names_carry_the_widths() -> None:
    pyramid = build_pyramid("pyramid:width=8,decoder=20", (3, 32, 32))
    assert (pyramid.channels, pyramid.decoder, pyramid.pretrained) == ((8, 16, 32, 48), 20, False)
    assert build_pyramid("resnet10t:pretrained=false", (1, 32, 32)).decoder == 256


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("pyramid", (7,), "is for images, but the inputs have shape"),
        ("pyramid:depth=3", (3, 32, 32), "`pyramid` has no option `depth`; its options are: `width`, `decoder`"),
        ("resnet10t:pretrained=maybe", (3, 32, 32), "`pretrained` of `resnet10t` as `bool`, but got `maybe`"),
        ("no-such-model:pretrained=false", (3, 32, 32), "timm cannot build it"),
    ],
)
def test_names_that_do_not_fit_are_refused(name: str, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        build_pyramid(name, shape)


@pytest.mark.parametrize("policy", ["separate", "joint", "frozen"])
def test_two_domains_pass_under_the_batch_norm_policy(policy: str) -> None:
    """Against passes by hand: what the source gives depends on the target under `joint` alone."""
    torch.manual_seed(0)
    encoder = build_pyramid("pyramid:width=8,decoder=8", (3, 32, 32), batch_norm=policy)  # type: ignore[arg-type]
    network = DenseNetwork(encoder, [SurfaceNormals()])
    network.train()
    source, target = torch.rand(4, 3, 32, 32), 3 * torch.rand(4, 3, 32, 32)
    before = network.encoder.stages[0][1].running_mean.clone()  # type: ignore[index, union-attr, operator]
    with torch.no_grad():
        both = network.both(source, target)
        alone = network(source)
        together = network(torch.cat([source, target]))
    same = [
        torch.allclose(both[0].features["layer-4"], other)
        for other in (alone.features["layer-4"], together.features["layer-4"][:4])
    ]
    assert same == {"separate": [True, False], "joint": [False, True], "frozen": [True, True]}[policy]
    moved = not torch.equal(before, network.encoder.stages[0][1].running_mean)  # type: ignore[index, union-attr, arg-type]
    assert moved is (policy != "frozen")
    torch.testing.assert_close(both[1].maps["normals"].shape, torch.Size([4, 3, 16, 16]))


@pytest.mark.parametrize(("outputs", "stride"), [(8, 1), (16, 1), (16, 2)])
def test_a_residual_block_rectifies_the_sum(outputs: int, stride: int) -> None:
    """He et al.: convolution, batch norm, ReLU, convolution, batch norm; the input is added, and then comes a ReLU."""
    torch.manual_seed(0)
    block, x = Residual(8, outputs, stride).double(), torch.randn(3, 8, 6, 6, dtype=torch.float64)

    def normed(x: Tensor) -> Tensor:
        return batch_norm(x, None, None, training=True)

    weights = [p for p in block.parameters() if p.ndim == 4]
    y = normed(conv2d(relu(normed(conv2d(x, weights[0], None, stride, 1))), weights[1], None, 1, 1))
    y = y + (normed(conv2d(x, weights[2], None, stride)) if len(weights) == 3 else x)
    assert (y < 0).any()
    torch.testing.assert_close(block(x), y.clamp(min=0))
