"""Decoders that mirror an encoder layer by layer, with its weights transposed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import conv_transpose2d, interpolate, linear, relu

from isthmus.errors import OptionError
from isthmus.nn.backbones.base import Backbone
from isthmus.nn.tracing import Passed, Trace


class TiedDecoder(nn.Module):
    """Features back to images, through the encoder's layers in reverse.

    A convolution or linear layer becomes its transpose with the *same weights*, followed by batch norm and ReLU; max
    pooling becomes max-unpooling to where the maxima lay, summed where windows overlap; average pooling becomes
    nearest-neighbour upsampling; a residual block the sum of its mirrored branches. Activations, batch norm and dropout
    of the encoder have no mirror.

    By default the batch norm has neither scale nor shift: a decoder that learns them can learn to decode everything to
    zero, where all decodings agree.

    Source: Wang et al., "Discriminative feature alignment", section 3 and table 9.

    Args:
        backbone: its `encoder()` is mirrored; its weights stay its own parameters and follow its training.
        tied: with False, the decoder's weights are its own, of the same shapes.
        affine: whether the batch norm learns scale and shift.

    Raises:
        OptionError: the encoder has a layer that cannot be mirrored.
    """

    def __init__(self, backbone: Backbone, *, tied: bool = True, affine: bool = False) -> None:
        super().__init__()
        self.layers = nn.ModuleList(_mirror(backbone.encoder(), tied, affine))

    def forward(self, features: Tensor, trace: Trace) -> Tensor:
        """Images (batch, channels, height, width), or vectors, from features (batch, features).

        Args:
            features: of the encoder, or a sample of what they should be distributed as.
            trace: of a pass over as many samples; sample i is unpooled to the maxima of that pass's sample i.
        """
        for layer in self.layers:
            features = layer(features, trace)
        return features


class _Transposed(nn.Module):
    """What convolutions and linear layers share: the tied (or own) weight, batch norm and ReLU."""

    def __init__(self, layer: nn.Conv2d | nn.Linear, norm: nn.Module, tied: bool) -> None:
        super().__init__()
        self._layer = (layer,)  # in a tuple, so that its weights are not registered as the decoder's
        self.norm = norm
        self.own = None if tied else nn.Parameter(layer.weight.detach().clone())
        if self.own is not None:
            nn.init.kaiming_uniform_(self.own, a=5**0.5)

    def weights(self) -> Tensor:
        return self._layer[0].weight if self.own is None else self.own

    def forward(self, features: Tensor, trace: Trace) -> Tensor:
        return relu(self.norm(self.transposed(features, trace[self._layer[0]].shape)))

    def transposed(self, features: Tensor, shape: torch.Size) -> Tensor:
        raise NotImplementedError


class _TransposedConvolution(_Transposed):
    def __init__(self, layer: nn.Conv2d, tied: bool, affine: bool) -> None:
        super().__init__(layer, nn.BatchNorm2d(layer.in_channels, affine=affine), tied)
        if isinstance(layer.padding, str) or layer.padding_mode != "zeros":
            raise OptionError(f"Expected a convolution with zero padding by numbers to mirror, but got {layer}.")
        self.geometry = cast("dict[str, Any]", {"stride": layer.stride, "padding": layer.padding})
        self.geometry |= {"dilation": layer.dilation, "groups": layer.groups}
        self.reach = tuple(
            dilation * (kernel - 1) + 1 - 2 * padding
            for dilation, kernel, padding in zip(layer.dilation, layer.kernel_size, layer.padding)
        )

    def transposed(self, features: Tensor, shape: torch.Size) -> Tensor:
        # Of the sizes that the convolution maps to this one, the one it had.
        strides = self.geometry["stride"]
        smallest = [(n - 1) * s + reach for n, s, reach in zip(features.shape[2:], strides, self.reach)]
        missing = [size - least for size, least in zip(shape[1:], smallest)]
        return conv_transpose2d(features, self.weights(), output_padding=missing, **self.geometry)


class _TransposedLinear(_Transposed):
    def __init__(self, layer: nn.Linear, tied: bool, affine: bool) -> None:
        super().__init__(layer, nn.BatchNorm1d(layer.in_features, affine=affine), tied)

    def transposed(self, features: Tensor, shape: torch.Size) -> Tensor:
        return linear(features, self.weights().t())


class _Reshaping(nn.Module):
    """The mirror of a layer without weights: a function of its output and of what had gone into it."""

    def __init__(self, layer: nn.Module, undo: Callable[[nn.Module, Tensor, Passed], Tensor]) -> None:
        super().__init__()
        self._layer = (layer,)
        self.undo = undo

    def forward(self, features: Tensor, trace: Trace) -> Tensor:
        return self.undo(self._layer[0], features, trace[self._layer[0]])


class _Residual(nn.Module):
    """Both branches of a residual block mirrored, and summed."""

    def __init__(self, block: nn.Module, tied: bool, affine: bool) -> None:
        super().__init__()
        if any(not isinstance(getattr(block, name, None) or nn.Identity(), nn.Identity) for name in ("se", "aa")):
            raise OptionError("Expected residual blocks without attention or blurring to mirror. Use `resnet18` or 50.")
        names = [name for name in ("conv3", "conv2", "conv1") if hasattr(block, name)]
        self.branch = nn.ModuleList(_TransposedConvolution(getattr(block, name), tied, affine) for name in names)
        shortcut = cast("nn.Module | None", block.downsample)
        self.shortcut = nn.ModuleList([] if shortcut is None else _mirror(shortcut, tied, affine))

    def forward(self, features: Tensor, trace: Trace) -> Tensor:
        shortcut = features
        for layer in self.branch:
            features = layer(features, trace)
        for layer in self.shortcut:
            shortcut = layer(shortcut, trace)
        return features + shortcut


def _unflatten(layer: nn.Module, features: Tensor, passed: Passed) -> Tensor:
    return features.reshape(len(features), *passed.shape)


def _max_unpool(layer: nn.Module, features: Tensor, passed: Passed) -> Tensor:
    # By a scatter: torch's own unpooling has no deterministic implementation, and is slower. Channels come last, as
    # images are laid out, so that nothing is copied. Windows that overlap may have one maximum: what comes back there
    # adds up, as in the transpose of a convolution. Without overlap a plain scatter is the same, and faster.
    channels, height, width = passed.shape
    values, places = (maps.permute(0, 2, 3, 1).flatten(1, 2) for maps in (features, cast(Tensor, passed.indices)))
    empty = values.new_zeros(len(values), height * width, channels)
    scatter = empty.scatter_add if _overlapping(cast(nn.MaxPool2d, layer)) else empty.scatter
    images: Tensor = scatter(1, places, values).unflatten(1, (height, width))
    return images.permute(0, 3, 1, 2)


def _overlapping(pool: nn.MaxPool2d) -> bool:
    kernel, stride = ((size, size) if isinstance(size, int) else size for size in (pool.kernel_size, pool.stride))
    return any(window > step for window, step in zip(kernel, stride))


def _average_unpool(layer: nn.Module, features: Tensor, passed: Passed) -> Tensor:
    return interpolate(features, size=list(passed.shape[1:]), mode="nearest")


_UNDONE: dict[type[nn.Module], Callable[[nn.Module, Tensor, Passed], Tensor]] = {
    nn.Flatten: _unflatten,
    nn.MaxPool2d: _max_unpool,
    nn.AvgPool2d: _average_unpool,
    nn.AdaptiveAvgPool2d: _average_unpool,
}
_WITHOUT_MIRROR = (nn.modules.batchnorm._BatchNorm, nn.ReLU, nn.Dropout, nn.Dropout2d, nn.Identity)
_RESIDUAL_BLOCKS = ("BasicBlock", "Bottleneck")  # of torchvision and of timm


def _mirror(layer: nn.Module, tied: bool, affine: bool) -> list[nn.Module]:
    """The layers that undo `layer`, in order."""
    if isinstance(layer, nn.Sequential):
        return [undo for child in reversed(layer) for undo in _mirror(child, tied, affine)]
    if isinstance(layer, nn.Conv2d):
        return [_TransposedConvolution(layer, tied, affine)]
    if isinstance(layer, nn.Linear):
        return [_TransposedLinear(layer, tied, affine)]
    if type(layer) in _UNDONE:
        return [_Reshaping(layer, _UNDONE[type(layer)])]
    if isinstance(layer, _WITHOUT_MIRROR):
        return []
    if type(layer).__name__ in _RESIDUAL_BLOCKS:
        return [_Residual(layer, tied, affine)]
    raise OptionError(
        f"A decoder cannot mirror the layer `{type(layer).__name__}`: it knows convolutions, linear layers, pooling, "
        f"batch norm, ReLU, dropout and the residual blocks of ResNets. Use the backbone `digits`, `svhn`, `signs`, "
        f"`mlp`, `resnet18` or `resnet50`."
    )
