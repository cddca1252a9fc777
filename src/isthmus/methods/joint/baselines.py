"""The systems that the joint method is measured against, by the names of the paper's tables."""

from __future__ import annotations

from isthmus.data.tasks import Classification
from isthmus.methods.joint.hard_sharing import HardSharing
from isthmus.methods.joint.joint_irls import JointIRLS, Order, PullForm
from isthmus.methods.side_by_side import Backbones


def isolated(backbone: Backbones, *tasks: Classification) -> HardSharing:
    r"""A network for each domain, trained on it alone: what every method must beat.

    $$\min_{\theta_i} f_i(\theta_i) \text{ for each } i$$

    Args:
        backbone: copied for each domain, or one for each.
        tasks: of the domains, in order.
    """
    return HardSharing(backbone, *tasks, shared=0.0)


def share_all(backbone: Backbones, *tasks: Classification) -> HardSharing:
    r"""One network for all domains, with a classifier and batch statistics for each.

    $$\min_\theta \sum_i f_i(\theta)$$

    Args:
        backbone: of all domains.
        tasks: of the domains, in order.
    """
    return HardSharing(backbone, *tasks, shared=1.0)


def l2_reg_25(backbone: Backbones, *tasks: Classification) -> HardSharing:
    """The first 25 % of the layers are all domains' in common, the others apart.

    Args:
        backbone: copied for each domain.
        tasks: of the domains, in order.
    """
    return HardSharing(backbone, *tasks, shared=0.25)


def l2_reg_50(backbone: Backbones, *tasks: Classification) -> HardSharing:
    """The first 50 % of the layers are all domains' in common, the others apart.

    Args:
        backbone: copied for each domain.
        tasks: of the domains, in order.
    """
    return HardSharing(backbone, *tasks, shared=0.5)


def l2_reg(
    backbone: Backbones,
    *tasks: Classification,
    trade_off: float = 0.1,
    order: Order = "in_turn",
    pull: PullForm = "proximal",
    batch_norm: bool = False,
    ends: bool = False,
) -> JointIRLS:
    r"""A network for each domain, all layers of all drawn together alike: `joint_irls` with weights that stay at 1.

    $$\min_\theta \sum_i f_i(\theta_i) + \lambda \sum_{i < j} \sum_l \lVert \varphi_i^l - \varphi_j^l \rVert^2$$

    Args:
        backbone: copied for each domain, or one for each.
        tasks: of the domains, in order.
        trade_off: $\lambda$.
        order: as in `joint_irls`.
        pull: as in `joint_irls`.
        batch_norm: as in `joint_irls`.
        ends: as in `joint_irls`.
    """
    return JointIRLS(
        backbone,
        *tasks,
        trade_off=trade_off,
        weighting="none",
        order=order,
        pull=pull,
        batch_norm=batch_norm,
        ends=ends,
    )
