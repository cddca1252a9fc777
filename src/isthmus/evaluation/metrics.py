"""Metrics of predictions against true labels."""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor


def accuracy(logits: Float[Tensor, "batch classes"], labels: Int[Tensor, "batch"]) -> float:
    """Share of samples whose largest logit is that of their class, in [0, 1].

    >>> import torch
    >>> accuracy(torch.tensor([[2.0, 1.0], [0.0, 3.0]]), torch.tensor([0, 0]))
    0.5
    """
    return (logits.argmax(dim=1) == labels).double().mean().item()


def class_accuracies(logits: Float[Tensor, "batch classes"], labels: Int[Tensor, "batch"]) -> list[float]:
    """Recall of every class, in [0, 1]; NaN for a class without samples.

    >>> import torch
    >>> class_accuracies(torch.tensor([[2.0, 1.0], [0.0, 3.0]]), torch.tensor([0, 0]))
    [0.5, nan]
    """
    classes, right = logits.shape[1], logits.argmax(dim=1) == labels
    recall = labels[right].bincount(minlength=classes) / labels.bincount(minlength=classes).double()
    return list(recall.tolist())
