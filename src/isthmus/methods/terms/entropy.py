"""Entropy minimisation on the target (Grandvalet and Bengio, NeurIPS 2004)."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from isthmus.checks import at_least
from isthmus.functional.information import entropy
from isthmus.methods.single_backbone import SingleBackbone
from isthmus.methods.terms.base import Part, Seen, Term


class Entropy(Term):
    r"""Target predictions become certain.

    $$w \; \frac{1}{n_t} \sum_j H(p(x^t_j))$$

    of the classifier that gives the method's result. `+Em` of SymNets' tables is `features_only=true`; (19) of DFA
    trains the classifier too.

    Args:
        method: whose predictions.
        weight: w; 0.1 as in the code of DFA and AFN.
        features_only: train the backbone and leave the classifier alone.
    """

    name = "entropy"

    def __init__(self, method: SingleBackbone[Any], *, weight: float = 0.1, features_only: bool = False) -> None:
        super().__init__()
        at_least(0, weight=weight)
        self._classifier = (method.result,)  # in a tuple: it belongs to the method
        self.weight = weight
        self.on = ("backbone",) if features_only else ("backbone", "head")

    def parts(self) -> tuple[Part, ...]:
        return (Part("entropy", ("target",), self._entropy, self.weight, self.on),)

    def _entropy(self, seen: Seen) -> Tensor:
        return entropy(self._classifier[0](seen.features["target"]))
