"""From updates to optimiser steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from isthmus.data.recipes import Recipe, Schedule
from isthmus.functional.schedules import annealing, cosine
from isthmus.methods.base import Method, Reach, Update

if TYPE_CHECKING:
    from lightning.fabric import Fabric

FALLING: dict[Schedule, Callable[[float], float]] = {
    "annealed": annealing,
    "cosine": cosine,
    "constant": lambda progress: 1.0,
}
"""Factors of the learning rate, by progress."""


class Stepper:
    """One optimiser a group of parameters; backward, averaging over processes, clipping and stepping of updates.

    Args:
        method: whose groups are optimised.
        frozen: groups that are not.
        recipe: optimiser, learning rates, schedule and clipping.
        fabric: the device, the precision and the processes.
        processes: how many to average over; all by default.
    """

    def __init__(
        self,
        method: Method[Any],
        frozen: Iterable[str],
        recipe: Recipe,
        fabric: Fabric,
        *,
        processes: int | None = None,
    ) -> None:
        self.recipe = recipe
        self.processes = processes or fabric.world_size
        self.parameters = {
            name: [parameter for parameter in group.parameters() if parameter.requires_grad]
            for name, group in method.groups().items()
            if name not in set(frozen)
        }
        self.lrs = method.learning_rates(recipe.lr, recipe.backbone_lr_factor)
        factors = method.stage_rates(recipe.stage_lr_decay)
        self.optimizers = {
            name: make_optimizer(recipe, _by_rate(parameters, factors), self.lrs[name])
            for name, parameters in self.parameters.items()
            if parameters
        }
        # Only float16 needs its losses scaled; disabled, the scaler passes everything through.
        self.scaler = torch.amp.GradScaler(
            fabric.device.type, enabled=fabric.strategy.precision.precision == "16-mixed"
        )

    def schedule(self, progress: float, factor: float = 1.0) -> None:
        """Set the learning rates for this point of the stage, all times `factor`."""
        factor *= FALLING[self.recipe.schedule](progress)
        for name, optimizer in self.optimizers.items():
            for group in optimizer.param_groups:
                group["lr"] = self.lrs[name] * factor * group["lr_factor"]

    def step(self, update: Update) -> None:
        """Descend every loss of the update on the groups it names, at once."""
        groups = [name for name in update.groups if name in self.optimizers]
        self._backward(update)
        parameters = [p for name in groups for p in self.parameters[name]]
        gradients = [p.grad for p in parameters if p.grad is not None]
        if self.processes > 1:
            self._average(gradients)
        if self.scaler.is_enabled():
            _overflow_together(gradients)
        for name in groups:
            self.scaler.unscale_(self.optimizers[name])
        if self.recipe.clip_norm is not None:
            clip_grad_norm_(parameters, self.recipe.clip_norm)
        # Asking for the scale waits for the device: only where something depends on whether the step overflows.
        scale = 0.0 if update.then is None else self.scaler.get_scale()
        for name in groups:
            self.scaler.step(self.optimizers[name])
        self.scaler.update()
        for parameter in parameters:
            parameter.grad = None
        if update.then is not None and self.scaler.get_scale() >= scale:  # else no weight has moved
            update.then(self._reach(groups))

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next step depends on, besides the weights."""
        optimizers = {name: optimizer.state_dict() for name, optimizer in self.optimizers.items()}
        return {"optimizers": optimizers, "scaler": self.scaler.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a `state_dict`."""
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
        self.scaler.load_state_dict(state["scaler"])

    def _backward(self, update: Update) -> None:
        # Groups that descend the same losses share a backward pass, and each pass visits only what lies between its
        # losses and its groups: a loss on the classifiers never reaches the backbone, so the backbone is walked once.
        passes: dict[tuple[int, ...], list[str]] = {}
        for name in update.groups:
            if name in self.optimizers:
                losses = tuple(i for i, objective in enumerate(update.objectives) if name in objective.on)
                passes.setdefault(losses, []).append(name)
        for position, (losses, names) in enumerate(passes.items()):
            loss = sum((update.objectives[i].loss for i in losses[1:]), update.objectives[losses[0]].loss)
            parameters = [p for name in names for p in self.parameters[name]]
            torch.autograd.backward(self.scaler.scale(loss), inputs=parameters, retain_graph=position + 1 < len(passes))

    def _reach(self, groups: Iterable[str]) -> Reach:
        """Of the parameters of some groups, with the optimisers as the step has left them."""
        optimizers = [self.optimizers[name] for name in groups]
        places = {p: (opt, group) for opt in optimizers for group in opt.param_groups for p in group["params"]}

        def reach(parameter: Tensor) -> float | Tensor:
            optimizer, group = places[parameter]
            state, lr = optimizer.state.get(parameter, {}), float(group["lr"])
            if "betas" not in group:
                return lr / (1 - float(group["momentum"]))
            if not state:  # no loss has depended on it so far
                return torch.full_like(parameter, lr)
            squares: Tensor = state["exp_avg_sq"] / (1 - group["betas"][1] ** state["step"])
            return lr / squares.sqrt().add_(group["eps"])

        return reach

    def _average(self, gradients: list[Tensor]) -> None:
        # One message for all: the gradients of an update travel as one flat buffer.
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        torch.distributed.all_reduce(flat)
        flat /= self.processes
        for gradient, part in zip(gradients, flat.split([gradient.numel() for gradient in gradients])):
            gradient.copy_(part.view(gradient.shape))


def _overflow_together(gradients: list[Tensor]) -> None:
    """Where one is not finite none is, so that the scaler, which asks optimiser by optimiser, skips the whole step."""
    finite = torch.stack(torch._foreach_norm(gradients, torch.inf)).isfinite().all()
    torch._foreach_mul_(gradients, torch.where(finite, 1.0, torch.nan))


def _by_rate(parameters: list[nn.Parameter], factors: dict[nn.Parameter, float]) -> list[dict[str, Any]]:
    """Parameters as the optimiser's own groups, one for each learning-rate factor."""
    groups: dict[float, list[nn.Parameter]] = {}
    for parameter in parameters:
        groups.setdefault(factors.get(parameter, 1.0), []).append(parameter)
    return [{"params": alike, "lr_factor": factor} for factor, alike in groups.items()]


def make_optimizer(
    recipe: Recipe, parameters: list[nn.Parameter] | list[dict[str, Any]], lr: float
) -> torch.optim.Optimizer:
    """The recipe's optimiser for one group of the method's parameters."""
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(
            parameters,
            lr,
            momentum=recipe.momentum,
            weight_decay=recipe.weight_decay,
            nesterov=recipe.momentum > 0,
            fused=True,
        )
    algorithm = torch.optim.Adam if recipe.optimizer == "adam" else torch.optim.AdamW
    return algorithm(parameters, lr, betas=(recipe.momentum, 0.999), weight_decay=recipe.weight_decay, fused=True)
