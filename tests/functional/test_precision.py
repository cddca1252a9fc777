"""Losses of half-precision logits: computed in single precision, as those of the same numbers are."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from isthmus.functional import adversarial, discrepancy, information, prior, symmetric

LABELS = torch.tensor([0, 2, 1, 1])
LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "telling domains apart": lambda v, w: adversarial.domain_discrimination(v[:, 0], w[:, 0]),
    "inverted labels": lambda v, w: adversarial.inverted_labels(v[:, 0]),
    "entropy": lambda v, w: information.entropy(v),
    "marginal entropy": lambda v, w: information.marginal_entropy(v),
    "entropy weights": lambda v, w: information.entropy_weights(v),
    "discrepancy": discrepancy.discrepancy,
    "prior": prior.prior_divergence,
    "decodings": prior.decoding_distance,
    "symnets (5), (6)": lambda v, w: symmetric.task(v, LABELS),
    "symnets (7)": symmetric.domain_discrimination,
    "symnets (8)": lambda v, w: symmetric.category_confusion(v, LABELS),
    "symnets (9)": lambda v, w: symmetric.domain_confusion(v),
    "symnets (10)": lambda v, w: symmetric.paired_entropy(v),
}


@pytest.mark.parametrize("name", LOSSES)
def test_half_precision_logits_have_the_loss_of_the_numbers_they_are(name: str) -> None:
    random = torch.Generator().manual_seed(0)
    half = [(5 * torch.randn(4, 6, generator=random)).bfloat16() for _ in range(2)]
    found, expected = LOSSES[name](*half), LOSSES[name](*(logits.float() for logits in half))
    assert found.dtype == torch.float32
    assert torch.equal(found, expected)
