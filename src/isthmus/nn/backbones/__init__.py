"""Backbones by name: the papers' digit networks, an MLP, AlexNet, and any timm model."""

from __future__ import annotations

from isthmus.errors import OptionError
from isthmus.names import BatchNormPolicy, Name, build, unknown
from isthmus.nn.backbones.base import Backbone as Backbone
from isthmus.nn.backbones.base import WithNeck as WithNeck
from isthmus.nn.backbones.digits import DigitsBackbone as DigitsBackbone
from isthmus.nn.backbones.digits import SignsBackbone as SignsBackbone
from isthmus.nn.backbones.digits import SVHNBackbone as SVHNBackbone
from isthmus.nn.backbones.mlp import MLPBackbone as MLPBackbone

CONVOLUTIONAL = {"digits": DigitsBackbone, "svhn": SVHNBackbone, "signs": SignsBackbone}
OWN = (*CONVOLUTIONAL, "mlp", "alexnet")


def build_backbone(
    name: str, shape: tuple[int, ...], *, batch_norm: BatchNormPolicy = "separate", frozen_stages: int = 0
) -> Backbone:
    """The backbone called `name` for inputs of `shape`: (channels, height, width) or (features,).

    `name` is `digits`, `svhn`, `signs`, `mlp`, `alexnet` or a timm model, with options after a colon
    (`digits:dropout=0`, `resnet50:pretrained=false`). AlexNet and timm models come with pretrained weights unless told
    otherwise.

    Args:
        name: of the backbone.
        shape: of one input.
        batch_norm: how batch statistics are taken over two domains.
        frozen_stages: how many of its first stages keep their weights.

    Raises:
        OptionError: an unknown name or option, a backbone that does not fit the inputs, or weights out of reach.
    """
    parsed = Name.parse(name)
    if parsed.base == "mlp" or len(shape) == 1:
        if parsed.base != "mlp" or len(shape) != 1:
            raise OptionError(
                f"Backbone `{parsed.base}` does not fit inputs of shape {shape}: "
                f"`mlp` is for feature vectors, all others are for images."
            )
        backbone: Backbone = build(MLPBackbone, parsed, shape[0])
    elif parsed.base == "alexnet":
        from isthmus.nn.backbones.alexnet import AlexNetBackbone

        backbone = build(AlexNetBackbone, parsed, shape[0], shape[1])
    elif parsed.base in CONVOLUTIONAL:
        backbone = build(CONVOLUTIONAL[parsed.base], parsed, shape[0], shape[1])
    else:
        from isthmus.nn.backbones.pretrained import TimmBackbone

        check_backbone(name)
        backbone = build(TimmBackbone, parsed, parsed.base, shape[0], shape[1])
    backbone.batch_norm = batch_norm
    backbone.freeze(frozen_stages)
    return backbone


def check_backbone(name: str) -> None:
    """Refuse what is no backbone's name; nothing is built, and options are not looked at.

    Raises:
        OptionError: with the nearest names that are.
    """
    base = Name.parse(name).base
    if base in OWN:
        return
    import timm  # slow to import, and needed here only

    if not timm.is_model(base):
        raise unknown("backbone", base, [*OWN, *timm.list_models()], "Any name of `timm.list_models()` will do.")
