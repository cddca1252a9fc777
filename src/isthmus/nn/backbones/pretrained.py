"""Any model of the timm library as a backbone."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from isthmus.errors import OptionError
from isthmus.nn.backbones.base import Backbone


class TimmBackbone(Backbone):
    """Pooled features of a timm model without its classifier, such as `resnet50` (2048 features).

    Args:
        name: the model's name in timm (`timm.list_models()`).
        channels: channels of the images.
        size: side of the images, in pixels; for models whose architecture depends on it.
        pretrained: whether to load timm's default weights, downloading them where they are not cached.
    """

    def __init__(self, name: str, channels: int, size: int, *, pretrained: bool = True) -> None:
        import timm  # slow to import, and needed here only

        super().__init__()
        options: dict[str, Any] = {"in_chans": channels, "num_classes": 0, "pretrained": pretrained}
        try:
            try:
                self.model = timm.create_model(name, img_size=size, **options)
            except TypeError:  # convolutional models take any size and refuse the argument
                self.model = timm.create_model(name, **options)
        except Exception as error:
            if not pretrained:
                raise OptionError(f"Backbone `{name}`: timm cannot build it: {_first_line(error)}.") from error
            raise OptionError(
                f"Backbone `{name}`: its pretrained weights could not be loaded ({_first_line(error)}). "
                f"Connect this machine to huggingface.co once, so that timm can cache them, "
                f"or train from scratch with `{name}:pretrained=false`."
            ) from error
        self.pretrained = pretrained
        self.out_features = self.hidden_features = self._width(name, channels, size)

    def forward(self, images: Float[Tensor, "batch channels height width"]) -> Float[Tensor, "batch features"]:
        features: Tensor = self.model(images)
        return features

    def stages(self) -> list[list[nn.Module]]:
        """What timm names as the model's levels of features, each with what leads to it; the stem is the first."""
        levels: Any = self.model.feature_info
        ends = [str(level["module"]) for level in levels]
        containers = {end.rpartition(".")[0] for end in ends} - {""}
        units = [
            (f"{name}.{inner}", module) if name in containers else (name, child)
            for name, child in self.model.named_children()
            for inner, module in (child.named_children() if name in containers else [("", child)])
        ]
        stages: list[list[nn.Module]] = [[nn.ParameterList(self.model.parameters(recurse=False))]]
        for name, module in units:
            stages[-1].append(module)
            if name in ends[:-1]:
                stages.append([])
        return stages

    def encoder(self) -> nn.Sequential:
        model: Any = self.model
        try:
            stem = [model.conv1, model.bn1, model.act1, model.maxpool]
            blocks = [model.layer1, model.layer2, model.layer3, model.layer4]
            return nn.Sequential(*stem, *blocks, model.global_pool.pool, model.global_pool.flatten)
        except AttributeError:
            return super().encoder()

    @torch.no_grad()
    def _width(self, name: str, channels: int, size: int) -> int:
        """Measured, as timm's `num_features` leaves out a hidden layer that some models have before the classifier."""
        self.eval()
        try:
            features = self(torch.zeros(1, channels, size, size))
        except Exception as error:  # each architecture has a complaint of its own
            raise OptionError(
                f"Backbone `{name}` does not take images of {size}×{size} pixels: {_first_line(error)}. "
                f"Choose another `--image-size`."
            ) from error
        finally:
            self.train()
        if features.ndim != 2:
            raise OptionError(f"Expected a backbone with pooled features, but `{name}` gives {tuple(features.shape)}.")
        return int(features.shape[1])


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
