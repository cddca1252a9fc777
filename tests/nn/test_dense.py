"""The network for pixel-wise tasks: sizes, what belongs to which depth, and what reaches through frozen layers."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm, conv2d, conv_transpose2d, interpolate

from isthmus.data.pixelwise import Keypoints, Segmentation, SurfaceNormals
from isthmus.errors import OptionError
from isthmus.nn.dense import DEPTHS, DenseNetwork
from isthmus.nn.pyramids import small_pyramid, timm_pyramid

ENCODERS = ["small", "resnet10t", "convnext_atto"]


def network(encoder: str = "small") -> DenseNetwork:
    torch.manual_seed(0)
    pyramid = small_pyramid(width=8) if encoder == "small" else timm_pyramid(encoder, pretrained=False)
    pyramid.decoder = 8
    return DenseNetwork(pyramid, [SurfaceNormals(), Keypoints(tuple("abcdefgh"), side=64)])


def images(height: int, width: int, batch: int = 2) -> Tensor:
    return torch.rand(batch, 3, height, width, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("size", [(64, 64), (65, 63), (70, 97), (33, 49)])
@pytest.mark.parametrize("encoder", ENCODERS)
def test_maps_have_half_the_resolution_rounded_up(encoder: str, size: tuple[int, int]) -> None:
    dense = network(encoder).eval()(images(*size))
    half = tuple(math.ceil(side / 2) for side in size)
    assert dense.maps["normals"].shape == (2, 3, *half)
    assert dense.maps["keypoints"].shape == (2, 8, *half)
    assert dense.vectors["keypoints"].shape == (2, 8)
    assert list(dense.features) == list(DEPTHS[:-1])


@pytest.mark.parametrize(("encoder", "first"), [("small", 2), ("resnet10t", 4)])
def test_features_halve_going_in_and_double_coming_out(encoder: str, first: int) -> None:
    features = network(encoder)(images(64, 64)).features
    sides = [features[depth].shape[-1] for depth in DEPTHS[:-1]]
    assert sides == [64 // first // k for k in (1, 2, 4, 8, 4, 2, 1)]


@pytest.mark.parametrize("encoder", ENCODERS)
def test_every_parameter_belongs_to_one_depth(encoder: str) -> None:
    dense = network(encoder)
    owned = [id(p) for depth in DEPTHS for module in dense.modules_at(depth) for p in module.parameters()]
    assert sorted(owned) == sorted(id(p) for p in dense.parameters())
    assert all(any(list(module.parameters()) for module in dense.modules_at(depth)) for depth in DEPTHS)


@pytest.mark.parametrize("encoder", ["small", "convnext_atto"])
def test_a_depths_modules_change_its_features_and_those_after_alone(encoder: str) -> None:
    """Other weights at one depth leave all features before it as they are, and change its own and all after it."""
    original = network(encoder).eval()
    before = original(images(64, 64))
    for place, depth in enumerate(DEPTHS):
        dense = copy.deepcopy(original)
        scaled(dense.modules_at(depth))
        after = dense(images(64, 64))
        same = [torch.equal(after.features[other], before.features[other]) for other in DEPTHS[:-1]]
        assert same == [other < place for other in range(len(DEPTHS) - 1)], depth
        assert not torch.equal(after.maps["normals"], before.maps["normals"])
        assert torch.equal(after.vectors["keypoints"], before.vectors["keypoints"]) == (depth == "up-3")


def scaled(modules: list[nn.Module]) -> None:
    with torch.no_grad():
        for module in modules:
            for parameter in module.parameters():
                parameter.mul_(1.5).add_(0.1)


def test_headfreeze_freezes_the_third_upsampling_with_its_skip_and_all_outputs() -> None:
    dense = network()
    frozen = {id(p) for module in dense.modules_after("up-2") for p in module.parameters()}
    names = {name for name, p in dense.named_parameters() if id(p) in frozen}
    assert {name for name, _ in dense.named_parameters() if name.startswith(("ups.2", "maps", "vectors"))} == names
    assert any(name.startswith("ups.2.skip") for name in names)


@pytest.mark.parametrize("output", ["maps", "vectors"])
def test_gradients_pass_through_the_frozen_head(output: str) -> None:
    dense = network()
    for module in dense.modules_after("up-2"):
        module.requires_grad_(False).eval()
    kept = {name: value.clone() for name, value in dense.state_dict().items()}
    result = dense(images(64, 64))
    getattr(result, output)["keypoints"].square().mean().backward()
    head = {id(p) for module in dense.modules_after("up-2") for p in module.parameters()}
    for name, parameter in dense.named_parameters():
        if id(parameter) in head:
            assert parameter.grad is None, name
        elif name.startswith(("encoder.stages.0", "ups.1.smooth")):
            assert parameter.grad is not None, name
            assert parameter.grad.any(), name
    moved = {name for name, value in dense.state_dict().items() if not torch.equal(value, kept[name])}
    assert "ups.1.smooth.1.running_mean" in moved  # batch norm below the head follows the batches,
    assert not any(name.startswith(("ups.2", "maps", "vectors")) for name in moved)  # that of the head does not


def test_he_initialisation_keeps_the_size_of_activations() -> None:
    torch.manual_seed(0)
    dense = DenseNetwork(small_pyramid(decoder=64), [SurfaceNormals()])
    features = dense(images(64, 64, batch=8)).features
    enlarged = interpolate(features["up-2"], scale_factor=2)
    up: nn.Module = dense.ups[2]
    before = enlarged + up.skip(features["layer-1"])  # type: ignore[operator]
    convolved = up.smooth[0](before)[..., 1:-1, 1:-1]  # type: ignore[index, operator]
    weight = up.smooth[0].weight  # type: ignore[index]
    assert weight.std().item() == pytest.approx(math.sqrt(2 / (64 * 9)), rel=0.05)
    assert convolved.square().mean().item() == pytest.approx(2 * before.square().mean().item(), rel=0.5)
    assert not any(p.any() for name, p in dense.named_parameters() if name.endswith("skip.bias"))


def test_output_layers_keep_the_size_of_what_they_see() -> None:
    """A transposed 6×6 convolution of stride 4 sums 256 · 6 · 6 / 4² products: twice the mean square of its inputs."""
    torch.manual_seed(0)
    classes = Segmentation(tuple(f"class {i}" for i in range(40)))
    pyramid = timm_pyramid("resnet10t", pretrained=False)
    layer = DenseNetwork(pyramid, [classes]).maps["segmentation"]
    assert isinstance(layer, nn.ConvTranspose2d)
    assert layer.weight.std().item() == pytest.approx(math.sqrt(2 / (256 * layer.kernel_size[0] ** 2 / 4)), rel=0.02)
    seen = torch.randn(4, 256, 24, 24).relu()
    inner = layer(seen)[..., 4:-4, 4:-4].square().mean()
    assert inner.item() == pytest.approx(2 * seen.square().mean().item(), rel=0.2)


def test_a_timm_pyramid_is_timms_own_features() -> None:
    import timm

    torch.manual_seed(0)
    pyramid = timm_pyramid("resnet10t", pretrained=False).eval()
    torch.manual_seed(0)
    reference = timm.create_model("resnet10t", features_only=True, pretrained=False).eval()
    for ours, theirs in zip(pyramid(images(64, 64)), reference(images(64, 64))[1:]):
        torch.testing.assert_close(ours, theirs, rtol=0, atol=0)


@pytest.mark.parametrize("name", ["vit_tiny_patch16_224", "no_such_model"])
def test_what_is_no_pyramid_is_refused(name: str) -> None:
    with pytest.raises(OptionError, match="resnet50"):
        timm_pyramid(name, pretrained=False)


def test_a_network_needs_a_task() -> None:
    with pytest.raises(OptionError, match="at least one task"):
        DenseNetwork(small_pyramid(width=8), [])


def test_the_decoder_is_that_of_feature_pyramids() -> None:
    """Enlarged by nearest neighbours, the encoder's map added after a 1×1 convolution, smoothed by a 3×3 one."""
    dense = network()
    result, weights = dense(images(64, 64)), dense.state_dict()
    features = result.features
    x = conv2d(features["layer-4"], weights["lateral.weight"], weights["lateral.bias"])
    for place, (depth, skipped) in enumerate((("up-1", "layer-3"), ("up-2", "layer-2"), ("up-3", "layer-1"))):
        x = x.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
        x = x + conv2d(features[skipped], weights[f"ups.{place}.skip.weight"], weights[f"ups.{place}.skip.bias"])
        x = conv2d(x, weights[f"ups.{place}.smooth.0.weight"], padding=1)
        x = batch_norm(x, None, None, training=True).clamp(min=0)
        torch.testing.assert_close(features[depth], x, rtol=1e-4, atol=1e-4)
    for task, maps in result.maps.items():
        expected = conv_transpose2d(x, weights[f"maps.{task}.weight"], weights[f"maps.{task}.bias"], padding=1)
        torch.testing.assert_close(maps, expected[..., :32, :32], rtol=1e-4, atol=1e-4)


def test_vectors_come_from_two_rectified_layers_of_the_mean_of_the_second_upsampling() -> None:
    dense = network()
    result, weights = dense(images(64, 64)), list(dense.vectors["keypoints"].parameters())
    x = result.features["up-2"].flatten(2).mean(dim=2)
    for weight, bias in zip(weights[:-2:2], weights[1:-2:2]):
        x = (x @ weight.T + bias).clamp(min=0)
    torch.testing.assert_close(result.vectors["keypoints"], x @ weights[-2].T + weights[-1])


def test_sides_that_do_not_halve_are_filled_with_the_last_pixels() -> None:
    """So an image looks to the network like the larger one with its last row and column repeated."""
    torch.manual_seed(0)
    dense = DenseNetwork(timm_pyramid("resnet10t", pretrained=False), [SurfaceNormals()]).eval()
    odd = images(33, 62)
    taller = torch.cat([odd, odd[:, :, -1:].expand(-1, -1, 3, -1)], dim=2)
    larger = torch.cat([taller, taller[..., -1:].expand(-1, -1, -1, 2)], dim=3)
    assert larger.shape[2:] == (36, 64)
    expected = dense(larger)
    found = dense(odd)
    torch.testing.assert_close(found.features["up-3"], expected.features["up-3"])
    torch.testing.assert_close(found.maps["normals"], expected.maps["normals"][..., :17, :31])
