"""How training goes: length, batches, optimiser. A problem brings one; any part of it can be replaced."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import Literal

from isthmus.errors import OptionError


@dataclass(frozen=True)
class Recipe:
    """Settings of one training run, the same for every method that is compared.

    Attributes:
        epochs: passes over the data; an epoch ends at the first domain that has no full batch left.
        steps_per_epoch: a fixed number of steps instead; None to count from the domains.
        batch_size: samples of each domain in a step, over all processes together.
        optimizer: `sgd` (with Nesterov momentum), `adam` or `adamw`.
        lr: learning rate at the start.
        backbone_lr_factor: times `lr`, for a pretrained backbone; one trained from scratch takes `lr`.
        momentum: of SGD; ignored by the others.
        weight_decay: L2 penalty (SGD, Adam) or decoupled decay (AdamW).
        schedule: `annealed`, (1 + 10 p)^-0.75 over progress p, or `constant`.
        clip_norm: largest norm of an update's gradient; None for no clipping.
        batch_norm: `separate`, `joint` or `frozen` batch statistics.
        evaluations: about how many times a run is evaluated; the last epoch always is.
    """

    epochs: int = 30
    steps_per_epoch: int | None = None
    batch_size: int = 32
    optimizer: Literal["sgd", "adam", "adamw"] = "sgd"
    lr: float = 0.01
    backbone_lr_factor: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 1e-4
    schedule: Literal["annealed", "constant"] = "annealed"
    clip_norm: float | None = None
    batch_norm: Literal["separate", "joint", "frozen"] = "separate"
    evaluations: int = 40

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "evaluations", "steps_per_epoch"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise OptionError(f"Expected `{name}` of at least 1, but got {value}.")
        if self.batch_size < 2:
            raise OptionError(f"Expected `batch_size` of at least 2 (batch norm needs two), but got {self.batch_size}.")
        for name in ("lr", "backbone_lr_factor", "clip_norm"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise OptionError(f"Expected a positive `{name}`, but got {value}.")
        if not 0 <= self.momentum < 1:
            raise OptionError(f"Expected `momentum` in [0, 1), but got {self.momentum}.")
        if not (math.isfinite(self.weight_decay) and self.weight_decay >= 0):
            raise OptionError(f"Expected `weight_decay` of at least 0, but got {self.weight_decay}.")
        choices = {
            "optimizer": ("sgd", "adam", "adamw"),
            "schedule": ("annealed", "constant"),
            "batch_norm": ("separate", "joint", "frozen"),
        }
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise OptionError(f"Expected `{name}` to be one of {allowed}, but got {getattr(self, name)!r}.")


RECIPE_FIELDS = tuple(field.name for field in fields(Recipe))
