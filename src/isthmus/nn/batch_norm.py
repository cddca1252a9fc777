"""What batch normalisation does when one network sees two domains, or runs in several processes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from copy import deepcopy

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from isthmus.errors import OptionError
from isthmus.functional.precision import widened
from isthmus.nn.processes import gathered


def batch_norms(module: nn.Module) -> list[_BatchNorm]:
    """All batch-normalisation layers inside `module`."""
    return [layer for layer in module.modules() if isinstance(layer, _BatchNorm)]


@contextmanager
def running_statistics_kept(module: nn.Module) -> Iterator[None]:
    """Forward passes inside the context leave every running mean and variance in `module` as they are.

    In training they normalise by their own batch, as ever.
    """
    layers = [layer for layer in batch_norms(module) if layer.track_running_stats]
    for layer in layers:
        layer.track_running_stats = False
    try:
        yield
    finally:
        for layer in layers:
            layer.track_running_stats = True


@contextmanager
def statistics_of(module: nn.Module, batches: Iterable[Tensor]) -> Iterator[None]:
    """Inside the context, evaluation normalises by the mean statistics of `batches`, where training does by a batch's.

    Running statistics come back as they were. A batch of one has no variance and is left out.
    """
    module.train()  # which leaves frozen layers in evaluation mode
    layers = [layer for layer in batch_norms(module) if layer.training and layer.track_running_stats]
    module.eval()
    kept = [(layer.momentum, deepcopy(layer.state_dict())) for layer in layers]
    try:
        for layer in layers:
            layer.reset_running_stats()
            layer.momentum = None  # all batches count the same
            layer.train()
        with torch.no_grad():
            for batch in batches:
                if len(batch) > 1:
                    module(batch)
        for layer in layers:
            layer.eval()
        yield
    finally:
        for layer, (momentum, state) in zip(layers, kept):
            layer.momentum = momentum
            layer.load_state_dict(state)


class SynchronisedBatchNorm(_BatchNorm):
    """Batch norm over the batches of all processes, on any device; `torch.nn.SyncBatchNorm` refuses a CPU.

    Every process must hold the same number of samples, as it does here: batches are split evenly.
    """

    def _check_input_dim(self, input: Tensor) -> None:
        if input.ndim < 2:
            raise ValueError(f"Expected at least 2 dimensions, but got {input.ndim}.")

    def forward(self, input: Tensor) -> Tensor:
        self._check_input_dim(input)
        if not self.training:
            evaluated: Tensor = super().forward(input)
            return evaluated
        dims = [0, *range(2, input.ndim)]
        shape = [1, -1] + [1] * (input.ndim - 2)
        values = widened(input)
        own = torch.stack([values.mean(dims), values.var(dims, correction=0)])
        means, variances = gathered(own[None]).unbind(dim=1)  # of every process, in one message
        mean = means.mean(dim=0)
        variance = (variances + (means - mean).square()).mean(dim=0)
        count = input.numel() // input.shape[1] * len(means)
        if self.track_running_stats:
            self._follow(mean.detach(), variance.detach() * (count / (count - 1)))
        normalised: Tensor = (values - mean.view(shape)) * (variance + self.eps).rsqrt().view(shape)
        if self.affine:
            normalised = normalised * self.weight.view(shape) + self.bias.view(shape)
        return normalised.type_as(input)

    def _follow(self, mean: Tensor, variance: Tensor) -> None:
        tracked, running_mean, running_var = self.num_batches_tracked, self.running_mean, self.running_var
        if tracked is None or running_mean is None or running_var is None:
            return
        tracked.add_(1)
        rate = self.momentum if self.momentum is not None else 1.0 / float(tracked)
        running_mean.lerp_(mean, rate)
        running_var.lerp_(variance, rate)


def synchronise_batch_norm(module: nn.Module) -> None:
    """Replace every batch norm inside `module` by one over all processes, keeping its parameters and statistics.

    Raises:
        OptionError: a batch norm that does more, such as one with an activation.
    """
    for name, child in module.named_children():
        if not isinstance(child, _BatchNorm):
            synchronise_batch_norm(child)
        elif type(child) in (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d):
            setattr(module, name, _synchronised(child))
        elif not isinstance(child, SynchronisedBatchNorm):
            raise OptionError(
                f"Batch norm of the kind `{type(child).__name__}` cannot be shared by several processes. "
                f"Use another backbone, such as `resnet50`, or one process."
            )


def _synchronised(layer: _BatchNorm) -> SynchronisedBatchNorm:
    twin = SynchronisedBatchNorm(layer.num_features, layer.eps, layer.momentum, layer.affine, layer.track_running_stats)
    twin.weight, twin.bias = layer.weight, layer.bias
    twin.running_mean, twin.running_var = layer.running_mean, layer.running_var
    twin.num_batches_tracked = layer.num_batches_tracked
    return twin.train(layer.training)
