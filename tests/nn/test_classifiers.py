"""Classifiers put together from others."""

from __future__ import annotations

import torch
from torch import nn

from isthmus.nn.classifiers import Ensemble


def test_the_logits_of_an_ensemble_lie_halfway_between_its_classifiers() -> None:
    torch.manual_seed(0)
    first, second, features = nn.Linear(4, 3), nn.Linear(4, 3), torch.randn(5, 4)
    logits = Ensemble(first, second)(features)
    torch.testing.assert_close(logits - first(features), second(features) - logits)
    torch.testing.assert_close(Ensemble(first, first)(features), first(features))
