"""Logits and features of many samples."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import get_args

import torch
from torch import Tensor, nn

from isthmus.checks import one_of
from isthmus.data.inputs import Input
from isthmus.data.samples import Samples, in_order
from isthmus.errors import DivergenceError, OptionError
from isthmus.names import Accelerator, listed
from isthmus.nn.classifiers import Classifier
from isthmus.progress import track

BATCH = 256
RESULT = "result"
"""What the network's own classifier is called beside others on its features."""

Precision = Callable[[], AbstractContextManager[object]]
"""Opens the autocast context that a network runs under."""


def device_of(accelerator: Accelerator) -> torch.device:
    """Where a trained network runs; `auto` is the first accelerator that there is, or else the CPU.

    Raises:
        OptionError: an unknown accelerator, or one that this machine does not have.
    """
    one_of(get_args(Accelerator), accelerator=accelerator)
    found = [
        name
        for name, available in (("cuda", torch.cuda.is_available()), ("mps", torch.backends.mps.is_available()))
        if available
    ] + ["cpu"]
    if accelerator not in ("auto", *found):
        raise OptionError(f"Expected an accelerator of this machine ({listed(found)}), but got `{accelerator}`.")
    return torch.device(found[0] if accelerator == "auto" else accelerator)


@torch.no_grad()
def infer(
    network: Classifier,
    samples: Samples,
    input: Input,
    *,
    others: Mapping[str, nn.Module] = {},
    indices: Tensor | None = None,
    precision: Precision = nullcontext,
    title: str = "",
) -> dict[str, Tensor]:
    """Logits (samples, classes) of each classifier, by its name, the network's own, `RESULT`, first.

    On the CPU in float32. Where the input has several views, the logarithm of their mean probabilities. Puts the
    network and the others into evaluation mode.

    Args:
        network: on any device.
        samples: what is looked at, in order.
        input: how stored samples become network inputs.
        others: further classifiers of the network's features, by name.
        indices: which samples; all by default.
        precision: opens the autocast context that the network runs under.
        title: of a progress bar; none is drawn without, as in training, which has its own.

    Raises:
        DivergenceError: logits that are not finite.
    """
    classifiers = {RESULT: network.head, **others}
    for module in (network, *others.values()):
        module.eval()
    logits: dict[str, list[Tensor]] = {name: [] for name in classifiers}
    for views in _features(network, samples, input, indices, precision, title):
        with precision():
            for name, classifier in classifiers.items():
                logits[name].append(together([classifier(view).float() for view in views]).cpu())
    return {name: finite(torch.cat(parts)) for name, parts in logits.items()}


@torch.no_grad()
def features(network: Classifier, samples: Samples, input: Input, *, indices: Tensor | None = None) -> Tensor:
    """Features (samples, …) on the CPU in float32; where the input has several views, their mean.

    Puts the network into evaluation mode.

    Raises:
        DivergenceError: features that are not finite.
    """
    network.eval()
    found = _features(network, samples, input, indices)
    return finite(torch.cat([torch.stack([view.float() for view in views]).mean(dim=0).cpu() for views in found]))


def finite(outputs: Tensor) -> Tensor:
    """What a network gives in evaluation, where its losses in training may have been finite and it is not.

    Raises:
        DivergenceError: some of it is NaN or infinite.
    """
    if not outputs.isfinite().all():
        raise DivergenceError(
            "Expected finite outputs of the trained network, but some are NaN or infinite: its training diverged. "
            "Use a smaller `--lr` or set `--clip-norm 1`."
        )
    return outputs


def together(views: Sequence[Tensor]) -> Tensor:
    """Logits of several views' mean prediction; of one view its own."""
    if len(views) == 1:
        return views[0]
    return torch.stack([view.log_softmax(dim=1) for view in views]).logsumexp(dim=0) - math.log(len(views))


def _features(
    network: Classifier,
    samples: Samples,
    input: Input,
    indices: Tensor | None,
    precision: Precision = nullcontext,
    title: str = "",
) -> Iterator[list[Tensor]]:
    """Those of each view, a batch of samples at a time."""
    weight = next(network.parameters())
    count = len(samples) if indices is None else len(indices)
    for _, stored in track(in_order(samples, indices, size=BATCH), title, math.ceil(count / BATCH)):
        with precision():
            yield [network.backbone(view.to(weight.device, weight.dtype)) for view in input.views(stored)]
