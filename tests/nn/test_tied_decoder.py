"""Tied decoders: transposes of the encoder's layers, live weights, and maxima put back where they lay."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from isthmus.errors import OptionError
from isthmus.nn.backbones import Backbone, WithNeck, build_backbone
from isthmus.nn.tied_decoder import TiedDecoder
from isthmus.nn.tracing import tracing

SHAPES = {
    "digits": (1, 28, 28),
    "svhn": (3, 32, 32),
    "signs": (3, 40, 40),
    "mlp:hidden=12": (5,),
    "resnet18:pretrained=false": (3, 45, 64),
    "resnet50:pretrained=false": (3, 64, 64),
}


class Chain(Backbone):
    """Any layers as a backbone."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)
        self.out_features = self.hidden_features = 1

    def encoder(self) -> nn.Sequential:
        return self.layers

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.layers(images)
        return features


@pytest.fixture(params=SHAPES)
def backbone(request: pytest.FixtureRequest) -> Backbone:
    torch.manual_seed(0)
    return build_backbone(request.param, SHAPES[request.param])


@pytest.fixture
def images(request: pytest.FixtureRequest) -> Tensor:
    name = request.node.callspec.params["backbone"]
    return torch.randn(3, *SHAPES[name], generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("with_neck", [False, True])
def test_decodes_to_the_shape_of_the_images(backbone: Backbone, images: Tensor, with_neck: bool) -> None:
    encoder = WithNeck(backbone) if with_neck else backbone
    decoder = TiedDecoder(encoder)
    with tracing(encoder) as passes:
        features = encoder(images)
    decoded = decoder(features, passes.of(features))
    assert decoded.shape == images.shape
    assert decoded.min() >= 0  # ReLU everywhere
    assert decoder(torch.randn_like(features), passes.of(features)).shape == images.shape


def test_every_weight_of_the_encoder_is_trained_through_the_decoder(backbone: Backbone, images: Tensor) -> None:
    decoder = TiedDecoder(backbone)
    with tracing(backbone) as passes:
        features = backbone(images)
    # Of the decoder alone: what it decodes is no function of the encoder here.
    decoder(torch.randn_like(features), passes.of(features)).square().sum().backward()
    weights = [layer.weight for layer in backbone.modules() if isinstance(layer, (nn.Conv2d, nn.Linear))]
    assert weights
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in weights)


def test_the_weights_stay_the_encoders(backbone: Backbone) -> None:
    decoder = TiedDecoder(backbone)
    assert not list(decoder.parameters())
    assert {name.split(".")[-2] for name, _ in decoder.named_buffers()} == {"norm"}


def test_the_batch_norm_of_an_affine_decoder_is_trained(backbone: Backbone, images: Tensor) -> None:
    decoder = TiedDecoder(backbone, affine=True)
    with tracing(backbone) as passes:
        features = backbone(images)
    decoder(features.detach(), passes.of(features)).square().sum().backward()
    mirrored = [layer for layer in backbone.modules() if isinstance(layer, (nn.Conv2d, nn.Linear))]
    learned = list(decoder.parameters())
    assert len(learned) == 2 * len(mirrored)
    assert all(parameter.grad is not None and parameter.grad.abs().sum() > 0 for parameter in learned)


def test_untied_weights_are_the_decoders_own(backbone: Backbone, images: Tensor) -> None:
    decoder = TiedDecoder(backbone, tied=False)
    with tracing(backbone) as passes:
        features = backbone(images)
    decoder(features.detach(), passes.of(features)).square().sum().backward()
    assert all(parameter.grad is None for parameter in backbone.parameters())
    owned = sum(name.endswith("own") for name, _ in decoder.named_parameters())
    assert owned == sum(isinstance(layer, (nn.Conv2d, nn.Linear)) for layer in backbone.modules())


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(3, 4, 5, bias=False),
        nn.Conv2d(3, 4, 3, stride=2, padding=1, bias=False),
        nn.Conv2d(4, 6, 3, stride=3, padding=2, dilation=2, groups=2, bias=False),
    ],
)
def test_a_transposed_convolution_is_the_adjoint(layer: nn.Conv2d) -> None:
    """⟨conv(x), y⟩ = ⟨x, convᵀ(y)⟩ for all x and y, whatever the stride leaves over."""
    layer = layer.double()
    encoder = Chain(layer)
    (mirror,) = TiedDecoder(encoder).layers
    for size in range(9, 13):
        x = torch.randn(2, layer.in_channels, size, size + 1, dtype=torch.float64)
        y = torch.randn_like(layer(x))
        back = mirror.transposed(y, x.shape[1:])  # type: ignore[operator]
        torch.testing.assert_close((layer(x) * y).sum(), (x * back).sum())


def test_maxima_go_back_to_where_they_lay() -> None:
    encoder = Chain(nn.MaxPool2d(2))
    images = torch.tensor([[[[1.0, 2, 0, 0], [4, 3, 0, 9], [5, 0, 0, 0], [0, 0, 7, 0]]]])
    with tracing(encoder) as passes:
        features = encoder(images)
    expected = torch.tensor([[[[0.0, 0, 0, 0], [10, 0, 0, 20], [30, 0, 0, 0], [0, 0, 40, 0]]]])
    code = torch.tensor([[[[10.0, 20], [30, 40]]]])
    torch.testing.assert_close(TiedDecoder(encoder)(code, passes.of(features)), expected)


@pytest.mark.parametrize("pool", [nn.MaxPool2d(3, 2, padding=1), nn.MaxPool2d((3, 2), (2, 2)), nn.MaxPool2d(2)])
def test_unpooling_is_the_adjoint_of_pooling(pool: nn.MaxPool2d) -> None:
    """⟨pool(x), y⟩ = ⟨x, unpool(y)⟩ for all y, also where windows overlap; and so is its gradient."""
    encoder = Chain(pool)
    images = torch.randn(2, 3, 9, 8, dtype=torch.float64)
    with tracing(encoder) as passes:
        features = encoder(images)
    decoder, trace = TiedDecoder(encoder), passes.of(features)
    code = torch.randn_like(features).requires_grad_()
    torch.testing.assert_close((features * code).sum(), (images * decoder(code, trace)).sum())
    assert torch.autograd.gradcheck(lambda values: decoder(values, trace), code)


@pytest.mark.parametrize("sides", [(4, 6), (5, 7), (7, 8), (9, 11)])
def test_average_unpooling_gives_every_pixel_the_value_of_its_window(sides: tuple[int, int]) -> None:
    """Also at odd sides, where the last window is cut off, as in the shortcuts of residual networks."""
    encoder, images = Chain(nn.AvgPool2d(2, ceil_mode=True, count_include_pad=False)), torch.randn(2, 3, *sides)
    with tracing(encoder) as passes:
        features = encoder(images)
    code = torch.randn_like(features)
    expected = torch.empty_like(images)
    for row in range(sides[0]):
        for column in range(sides[1]):
            expected[:, :, row, column] = code[:, :, row // 2, column // 2]
    assert torch.equal(TiedDecoder(encoder)(code, passes.of(features)), expected)


@pytest.mark.parametrize("policy", ["separate", "joint"])
def test_a_trace_is_of_the_images_that_the_features_are_of(policy: str) -> None:
    """Decoding the target by its own trace equals decoding it after a pass of the target alone."""
    torch.manual_seed(0)
    backbone = build_backbone("digits", (1, 28, 28), batch_norm=policy).eval()  # type: ignore[arg-type]
    decoder = TiedDecoder(backbone).eval()
    source, target = torch.randn(4, 1, 28, 28), torch.randn(3, 1, 28, 28)
    with tracing(backbone) as passes:
        features = backbone.both(source, target)
        traces = [passes.of(part) for part in features]
    for images, part, trace in zip((source, target), features, traces):
        with tracing(backbone) as alone:
            expected = decoder(backbone(images), alone.of(alone.recorded[-1][0]))
        torch.testing.assert_close(decoder(part, trace), expected)


def test_features_from_elsewhere_are_refused() -> None:
    backbone = build_backbone("mlp:hidden=4", (3,))
    with tracing(backbone) as passes:
        backbone(torch.randn(2, 3))
    with pytest.raises(ValueError, match="came from elsewhere"):
        passes.of(torch.randn(2, 4))


def test_nothing_is_recorded_outside_the_context() -> None:
    backbone = build_backbone("digits", (1, 28, 28))
    with tracing(backbone) as passes:
        backbone(torch.randn(2, 1, 28, 28))
    backbone(torch.randn(2, 1, 28, 28))
    assert len(passes.recorded) == 1
    assert not any(layer._forward_pre_hooks or layer._forward_hooks for layer in backbone.modules())


@pytest.mark.parametrize(
    ("layers", "culprit"),
    [
        ((nn.Conv2d(1, 2, 3), nn.LSTM(2, 2)), "LSTM"),
        ((nn.Conv2d(1, 2, 3, padding="same"),), "padding"),
    ],
)
def test_layers_without_a_mirror_are_named(layers: tuple[nn.Module, ...], culprit: str) -> None:
    with pytest.raises(OptionError, match=culprit):
        TiedDecoder(Chain(*layers))


def test_architectures_without_a_plain_sequence_are_refused() -> None:
    with pytest.raises(OptionError, match="cannot mirror"):
        TiedDecoder(build_backbone("vit_tiny_patch16_224:pretrained=false", (3, 32, 32)))
