"""How training goes: length, batches, optimiser. A problem brings one; any part of it can be replaced."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from isthmus.checks import at_least, below, one_of, positive, whole
from isthmus.names import BatchNormPolicy

Optimizer = Literal["sgd", "adam", "adamw"]
Schedule = Literal["annealed", "cosine", "constant"]


@dataclass(frozen=True)
class Recipe:
    """Settings of one training run, the same for every method that is compared.

    Attributes:
        epochs: passes over the data; an epoch ends after `steps_per_epoch`, or else at the first domain that has no
            full batch left.
        steps_per_epoch: of a problem with a fixed number; None to count from the domains.
        batch_size: samples of each domain in a step, over all processes together.
        optimizer: `sgd` (with Nesterov momentum), `adam` or `adamw`.
        lr: learning rate at the start.
        backbone_lr_factor: times `lr`, for a pretrained backbone; one trained from scratch takes `lr`.
        frozen_stages: how many of the first stages that the architecture of the backbone counts keep their weights.
        stage_lr_decay: learning rate of a stage of the backbone as a share of the next one's.
        momentum: of SGD, and the first of Adam's and AdamW's decay rates.
        weight_decay: L2 penalty (SGD, Adam) or decoupled decay (AdamW).
        schedule: of the learning rate over progress p: `annealed`, (1 + 10 p)^-0.75, `cosine`, (1 + cos πp) / 2, or
            `constant`.
        clip_norm: largest norm of an update's gradient; None for no clipping.
        batch_norm: `separate`, `joint` or `frozen` batch statistics.
        evaluations: about how many times a run is evaluated; the last epoch always is.
    """

    epochs: int = 30
    steps_per_epoch: int | None = None
    batch_size: int = 32
    optimizer: Optimizer = "sgd"
    lr: float = 0.01
    backbone_lr_factor: float = 0.1
    frozen_stages: int = 0
    stage_lr_decay: float = 1.0
    momentum: float = 0.9
    weight_decay: float = 1e-4
    schedule: Schedule = "annealed"
    clip_norm: float | None = None
    batch_norm: BatchNormPolicy = "separate"
    evaluations: int = 40

    def __post_init__(self) -> None:
        whole(1, epochs=self.epochs, evaluations=self.evaluations)
        whole(2, batch_size=self.batch_size)  # batch norm needs two
        whole(0, frozen_stages=self.frozen_stages)
        at_least(0, weight_decay=self.weight_decay, momentum=self.momentum)
        positive(lr=self.lr, backbone_lr_factor=self.backbone_lr_factor, stage_lr_decay=self.stage_lr_decay)
        if self.steps_per_epoch is not None:
            whole(1, steps_per_epoch=self.steps_per_epoch)
        if self.clip_norm is not None:
            positive(clip_norm=self.clip_norm)
        below(1, momentum=self.momentum)
        one_of(get_args(Optimizer), optimizer=self.optimizer)
        one_of(get_args(Schedule), schedule=self.schedule)
        one_of(get_args(BatchNormPolicy), batch_norm=self.batch_norm)
