"""Methods with the terms that make them systems of the papers' tables."""

from __future__ import annotations

from isthmus.checks import at_least
from isthmus.methods.combined import Combined
from isthmus.methods.terms.dfa import DFA, Alignment
from isthmus.methods.terms.entropy import Entropy
from isthmus.methods.unsupervised.mcd import MCD
from isthmus.methods.unsupervised.safn import SAFN
from isthmus.methods.unsupervised.source_only import SourceOnly
from isthmus.nn.backbones.base import Backbone


def dfa_ent(
    backbone: Backbone,
    num_classes: int,
    *,
    alpha: float = 0.01,
    beta: float = 10.0,
    entropy_weight: float = 0.1,
    align: Alignment = "prior",
    tied: bool = True,
) -> Combined:
    r"""DFA-ENT: source cross-entropy, target entropy, and DFA.

    $$L_{cls} + \alpha L_{kld}, \quad \text{then} \quad w L_{ent} + \beta L_{dal}$$

    (20) in the two steps a batch of the authors' code: the same as `source_only+entropy+dfa`.

    Args:
        backbone: G.
        num_classes: K.
        alpha: weight of (17).
        beta: weight of (18).
        entropy_weight: w; the paper has 1, its code 0.1.
        align: as in the term `dfa`; the rows of table 8.
        tied: whether the decoder shares the backbone's weights.
    """
    at_least(0, entropy_weight=entropy_weight)
    method = SourceOnly(backbone, num_classes)
    dfa = DFA(method, alpha=alpha, beta=beta, align=align, tied=tied)
    return Combined(method, Entropy(method, weight=entropy_weight), dfa)


def dfa_mcd(
    backbone: Backbone, num_classes: int, *, generator_steps: int = 4, alpha: float = 0.01, beta: float = 10.0
) -> Combined:
    r"""DFA-MCD, Algorithm 1: the same as `mcd+dfa`.

    $$\text{A:} \; L_{cls} + \alpha L_{kld} \to G, F_1, F_2 \qquad \text{B:} \; L_{cls} - L_{adv} \to F_1, F_2 \qquad
    \text{C, } n \text{ times:} \; L_{adv} + \beta L_{dal} \to G, D$$

    The paper's $\alpha L_{kld}$ in B is left out: it does not depend on the classifiers, which B trains.

    Args:
        backbone: G.
        num_classes: K.
        generator_steps: n.
        alpha: weight of (17).
        beta: weight of (18).
    """
    method = MCD(backbone, num_classes, generator_steps=generator_steps)
    return Combined(method, DFA(method, alpha=alpha, beta=beta))


def dfa_safn(
    backbone: Backbone,
    num_classes: int,
    *,
    weight: float = 0.05,
    step: float = 1.0,
    entropy_weight: float = 0.1,
    alpha: float = 0.1,
    beta: float = 10.0,
) -> Combined:
    r"""DFA-SAFN, Algorithm 2: the same as `safn+dfa:alpha=0.1`.

    $$L_{safn} + \alpha L_{kld} + \beta L_{dal}$$

    Args:
        backbone: G.
        num_classes: K.
        weight: of the feature norms' loss.
        step: how much larger a norm is asked to be.
        entropy_weight: of the target's entropy.
        alpha: weight of (17).
        beta: weight of (18).
    """
    method = SAFN(backbone, num_classes, weight=weight, step=step, entropy_weight=entropy_weight)
    return Combined(method, DFA(method, alpha=alpha, beta=beta))
