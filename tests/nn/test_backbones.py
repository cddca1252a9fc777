"""Backbones: shapes, the papers' layers, the batch-norm policies, and refusals."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from isthmus.errors import OptionError
from isthmus.names import BatchNormPolicy
from isthmus.nn.backbones import Backbone, WithNeck, build_backbone
from isthmus.nn.batch_norm import batch_norms
from isthmus.nn.classifiers import classifier

RESNET, VIT = "resnet18:pretrained=false", "vit_tiny_patch16_224:pretrained=false"


def build(name: str, shape: tuple[int, ...], batch_norm: BatchNormPolicy = "separate") -> Backbone:
    torch.manual_seed(0)
    return build_backbone(name, shape, batch_norm=batch_norm)


def kernels(module: nn.Module) -> Iterator[tuple[int, ...]]:
    """Shapes of all weights that are no batch norm's, in order."""
    for layer in module.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            yield tuple(layer.weight.shape)


@pytest.mark.parametrize(
    ("name", "shape", "features"),
    [
        ("digits", (1, 28, 28), 48 * 4 * 4),
        ("digits", (3, 28, 28), 48 * 4 * 4),
        ("digits", (1, 16, 16), 48),
        ("digits", (3, 40, 40), 48 * 7 * 7),
        ("svhn", (3, 32, 32), 128 * 8 * 8),
        ("svhn", (1, 29, 29), 128 * 8 * 8),
        ("svhn", (3, 16, 16), 128 * 4 * 4),
        ("signs", (3, 40, 40), 256 * 5 * 5),
        ("signs", (1, 31, 31), 256 * 3 * 3),
        ("mlp", (7,), 256),
        ("mlp:hidden=12,layers=1", (7,), 12),
        (RESNET, (3, 32, 32), 512),
        (RESNET, (1, 64, 64), 512),
        (VIT, (3, 32, 32), 192),
        (VIT, (3, 224, 224), 192),
        ("mobilenetv3_small_100:pretrained=false", (3, 64, 64), 1024),  # it has a hidden layer after the pooling
    ],
)
def test_features_have_the_announced_width(name: str, shape: tuple[int, ...], features: int) -> None:
    backbone = build(name, shape).eval()
    with torch.no_grad():
        assert backbone(torch.rand(2, *shape)).shape == (2, features)
        assert classifier(backbone, 5).eval()(backbone(torch.rand(2, *shape))).shape == (2, 5)
    assert backbone.out_features == features
    assert build(name, shape).training  # ready to train, whatever the construction looked at


@pytest.mark.parametrize(
    ("name", "shape", "classes", "layers"),
    [
        (
            "digits",
            (1, 28, 28),
            10,
            [(32, 1, 5, 5), (48, 32, 5, 5), (100, 768), (100, 100), (10, 100)],
        ),
        (
            "svhn",
            (3, 32, 32),
            10,
            [(64, 3, 5, 5), (64, 64, 5, 5), (128, 64, 5, 5), (3072, 8192), (2048, 3072), (10, 2048)],
        ),
        (
            "signs",
            (3, 40, 40),
            43,
            [(96, 3, 5, 5), (144, 96, 3, 3), (256, 144, 5, 5), (512, 6400), (43, 512)],
        ),
    ],
)
def test_layers_are_the_papers(name: str, shape: tuple[int, ...], classes: int, layers: list[tuple[int, ...]]) -> None:
    backbone = build(name, shape)
    head = classifier(backbone, classes)
    assert [*kernels(backbone), *kernels(head)] == layers
    # A batch norm after every layer but the last.
    assert len(batch_norms(backbone)) + len(batch_norms(head)) == len(layers) - 1


def spelt(*modules: nn.Module) -> str:
    """Every layer in order, as the papers list them."""
    names = {nn.BatchNorm1d: "BN", nn.ReLU: "ReLU", nn.Dropout: "dropout"}
    leaves = [layer for module in modules for layer in module.modules() if not list(layer.children())]
    return ", ".join(
        f"{x.in_features}-{x.out_features}" if isinstance(x, nn.Linear) else names.get(type(x), type(x).__name__)
        for x in leaves
    )


@pytest.mark.parametrize(
    ("name", "shape", "classes", "head"),
    [
        (
            "digits",
            (1, 28, 28),
            10,
            "dropout, 768-100, BN, ReLU, dropout, 100-100, BN, ReLU, dropout, 100-10",
        ),
        ("svhn", (3, 32, 32), 10, "8192-3072, BN, ReLU, dropout, 3072-2048, BN, ReLU, 2048-10"),
        ("signs", (3, 40, 40), 43, "6400-512, BN, ReLU, dropout, 512-43"),
    ],
)
def test_heads_are_the_papers_layer_by_layer(name: str, shape: tuple[int, ...], classes: int, head: str) -> None:
    with torch.device("meta"):
        assert spelt(classifier(build_backbone(name, shape), classes)) == head


def test_a_perceptron_normalises_and_rectifies_every_layer() -> None:
    assert spelt(build("mlp:hidden=12,layers=3", (7,))) == "7-12, BN, ReLU, 12-12, BN, ReLU, 12-12, BN, ReLU"


@pytest.mark.parametrize(("name", "dropouts"), [("digits", 3), ("svhn", 1), ("signs", 1)])
def test_dropout_is_the_papers_and_can_be_set(name: str, dropouts: int) -> None:
    for text, expected in ((name, 0.5), (f"{name}:dropout=0.25", 0.25)):
        neck = build(text, (3, 20, 20)).neck()
        assert [layer.p for layer in neck if isinstance(layer, nn.Dropout)] == [expected] * dropouts


@pytest.mark.parametrize("name", ["digits:dropout=0", "svhn", "signs"])
def test_rectifying_after_pooling_is_the_papers_order(name: str) -> None:
    """The layers as the papers order them, convolution, batch norm, ReLU, pooling, give the same features."""
    backbone = build(name, (3, 40, 40))
    images = torch.rand(4, 3, 40, 40)
    layers = list(backbone.layers)  # type: ignore[arg-type]
    expected, position = images, 0
    while position < len(layers):
        layer = layers[position]
        if isinstance(layer, nn.MaxPool2d):
            expected = layer(torch.relu(expected))
            position += 2
        else:
            expected = layer(expected)
            position += 1
    torch.testing.assert_close(backbone(images), expected)


@pytest.mark.parametrize("size", [1, 8, 15])
def test_too_small_images_are_refused(size: int) -> None:
    with pytest.raises(OptionError, match=r"at least 16×16 pixels, but got"):
        build("digits", (1, size, size))


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("signs", (3, 7, 7), "at least 8×8 pixels"),
        ("resnet81", (3, 32, 32), "did you mean `resnet18`"),
        ("digitz", (3, 32, 32), "did you mean `digits`"),
        ("mlp", (3, 32, 32), "`mlp` is for feature vectors"),
        ("digits", (8,), "`mlp` is for feature vectors"),
        (RESNET, (8,), "`mlp` is for feature vectors"),
        ("digits:drop=0", (1, 28, 28), "no option `drop`; its options are: `dropout`"),
        ("digits:dropout=x", (1, 28, 28), "`dropout` of `digits` as `float`, but got `x`"),
        ("digits:dropout=1", (1, 28, 28), "`dropout` below 1"),
        ("svhn:dropout=-1", (3, 32, 32), "`dropout` of at least 0"),
        ("mlp:hidden=0", (8,), "`hidden` of at least 1"),
        ("mlp:layers=0", (8,), "`layers` of at least 1"),
        ("resnet18:pretrained=maybe", (3, 32, 32), "`pretrained` of `resnet18` as `bool`, but got `maybe`"),
        ("resnet18:depth=3", (3, 32, 32), "no option `depth`; its options are: `pretrained`"),
        ("resnet18.nonsense:pretrained=false", (3, 32, 32), "cannot build it"),
        (VIT, (3, 8, 8), "does not take images of 8×8 pixels"),
    ],
)
def test_what_cannot_be_built_is_refused(name: str, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        build(name, shape)


def test_weights_out_of_reach_are_refused_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    import timm.models._builder as builder

    def unreachable(*args: object, **kwargs: object) -> None:
        raise OSError("the network is unreachable\nand more")

    monkeypatch.setattr(builder, "load_pretrained", unreachable)
    with pytest.raises(OptionError, match=r"\(the network is unreachable\).*`resnet18:pretrained=false`"):
        build("resnet18", (3, 32, 32))


def domains() -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(1)
    return torch.rand(6, 3, 20, 20, generator=random), 3 * torch.rand(4, 3, 20, 20, generator=random) - 1


def statistics(backbone: Backbone) -> list[Tensor]:
    return [buffer.clone() for _, buffer in backbone.named_buffers()]


@pytest.mark.parametrize("name", ["digits", RESNET])
def test_separate_is_a_forward_pass_a_domain(name: str) -> None:
    source, target = domains()
    together, alone = build(name, (3, 20, 20)), build(name, (3, 20, 20))
    features = together.both(source, target)
    for found, expected in zip(features, (alone(source), alone(target))):
        assert torch.equal(found, expected)
    assert all(torch.equal(a, b) for a, b in zip(statistics(together), statistics(alone)))
    # Each domain is normalised by itself: the other's images do not matter.
    assert torch.equal(build(name, (3, 20, 20)).both(source, target * 2)[0], features[0])


@pytest.mark.parametrize("name", ["digits", RESNET])
def test_joint_is_one_forward_pass_of_both(name: str) -> None:
    source, target = domains()
    together, alone = build(name, (3, 20, 20), "joint"), build(name, (3, 20, 20))
    features_s, features_t = together.both(source, target)
    torch.testing.assert_close(torch.cat([features_s, features_t]), alone(torch.cat([source, target])))
    assert (len(features_s), len(features_t)) == (6, 4)
    assert all(torch.equal(a, b) for a, b in zip(statistics(together), statistics(alone)))
    separate = build(name, (3, 20, 20)).both(source, target)
    assert not torch.allclose(features_s, separate[0], atol=1e-3)


@pytest.mark.parametrize("name", ["digits", RESNET])
def test_frozen_statistics_stay_bit_identical_while_the_weights_train(name: str) -> None:
    backbone = build(name, (3, 20, 20), "frozen")
    source, target = domains()
    with torch.no_grad():
        for layer in batch_norms(backbone):
            layer.running_mean.fill_(-0.1)  # type: ignore[union-attr]
    before, weights = statistics(backbone), [parameter.clone() for parameter in backbone.parameters()]
    backbone.train()
    optimizer = torch.optim.SGD(backbone.parameters(), 0.1)
    features_s, features_t = backbone.both(source, target)
    (features_s.square().mean() + features_t.square().mean()).backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    assert all(torch.equal(a, b) for a, b in zip(statistics(backbone), before))
    assert not torch.equal(next(backbone.parameters()), weights[0])


def test_a_neck_is_fresh_whatever_the_backbone_came_with() -> None:
    """Its batch norm is trained wherever it stands, in a classifier or with the backbone."""
    both = WithNeck(build("digits", (1, 28, 28), "frozen")).train()
    fresh = batch_norms(both.hidden)
    assert len(fresh) == 2
    assert all(layer.training == (layer in fresh) for layer in batch_norms(both))


@pytest.mark.parametrize("name", ["digits:dropout=0", "svhn:dropout=0", "mlp", RESNET])
def test_a_neck_in_the_backbone_keeps_its_ways(name: str) -> None:
    shape = (8,) if name == "mlp" else (3, 20, 20)
    plain = build(name, shape, "joint")
    both = WithNeck(plain)
    assert (both.batch_norm, both.pretrained, both.convolutional) == ("joint", False, name != "mlp")
    assert both.out_features == both.hidden_features == plain.hidden_features
    images = torch.rand(4, *shape)
    both.eval()
    torch.testing.assert_close(both(images), both.hidden(plain(images)))
    assert len(both.neck()) == 0
    assert isinstance(classifier(both, 3), nn.Linear)


DEPTHS = {
    "digits": 2,
    "svhn": 3,
    "mlp:layers=3": 3,
    "alexnet:pretrained=false": 5,
    "resnet18:pretrained=false": 5,
    "vit_tiny_patch16_224:pretrained=false": 12,
    "efficientnet_b0:pretrained=false": 5,
    "convnext_atto:pretrained=false": 4,
    "vgg11:pretrained=false": 6,
}


def shape_for(name: str) -> tuple[int, ...]:
    return (8,) if name.startswith("mlp") else (3, 20, 20) if name in ("digits", "svhn") else (3, 64, 64)


@pytest.mark.parametrize("name", DEPTHS)
def test_stages_hold_every_parameter_once(name: str) -> None:
    backbone = build(name, shape_for(name))
    found = [id(p) for stage in backbone.stages() for module in stage for p in module.parameters()]
    assert len(found) == len(set(found))
    assert set(found) == {id(p) for p in backbone.parameters()}
    assert len(backbone.stages()) == DEPTHS[name]


@pytest.mark.parametrize("name", DEPTHS)
def test_stages_stand_in_the_order_of_the_walk(name: str) -> None:
    """A layer's output reaches the layers of later stages, never those of earlier ones."""
    backbone = build(name, shape_for(name)).eval()
    seen: list[int] = []
    for depth, stage in enumerate(backbone.stages()):
        for module in stage:
            module.register_forward_hook(lambda *_, depth=depth: seen.append(depth))
    backbone(torch.rand(2, *shape_for(name)))
    assert seen == sorted(seen)
    assert set(seen) >= set(range(1, DEPTHS[name]))


@pytest.mark.parametrize("name", ["digits", "resnet18:pretrained=false", "alexnet:pretrained=false"])
def test_frozen_stages_keep_weights_and_statistics(name: str) -> None:
    backbone = WithNeck(build_backbone(name, shape_for(name), frozen_stages=2))
    backbone.requires_grad_(True).train()
    before = {key: value.clone() for key, value in backbone.state_dict().items()}
    frozen = {id(p) for stage in backbone.stages()[:2] for module in stage for p in module.parameters()}
    optimizer = torch.optim.SGD([p for p in backbone.parameters() if p.requires_grad], lr=0.1)
    backbone(torch.rand(4, *shape_for(name))).square().mean().backward()
    optimizer.step()
    assert {id(p) for p in backbone.parameters() if not p.requires_grad} == frozen
    statistics = {id(buffer) for stage in backbone.stages()[:2] for module in stage for buffer in module.buffers()}
    after = backbone.state_dict(keep_vars=True)
    kept = {key for key, value in after.items() if id(value) in frozen | statistics}
    assert all(torch.equal(after[key], before[key]) for key in kept)
    assert not any(torch.equal(after[key], before[key]) for key in after.keys() - kept if key.endswith("running_mean"))
    assert sum(not torch.equal(after[key], before[key]) for key in after.keys() - kept) > len(after.keys() - kept) / 2


def test_more_frozen_stages_than_there_are_are_refused() -> None:
    with pytest.raises(OptionError, match="at most 2, as many as this backbone has, but got 3"):
        build_backbone("digits", (1, 28, 28), frozen_stages=3)


def test_learning_rates_decay_from_stage_to_stage() -> None:
    backbone = build("resnet18:pretrained=false", (3, 64, 64))
    rates = backbone.stage_rates(0.1)
    for depth, stage in enumerate(backbone.stages()):
        for module in stage:
            assert all(rates[p] == pytest.approx(0.1 ** (4 - depth)) for p in module.parameters())


def test_alexnet_refuses_what_it_cannot_see() -> None:
    with pytest.raises(OptionError, match="at least 63×63 pixels, but got 3 of 32×32"):
        build("alexnet:pretrained=false", (3, 32, 32))
