"""The systems that the joint method is measured against, by the names of the paper's tables."""

from __future__ import annotations

from isthmus.data.tasks import DomainTask
from isthmus.methods.joint.hard_sharing import HardSharing
from isthmus.methods.joint.joint_irls import JointIRLS, Order, PullForm
from isthmus.methods.side_by_side import DomainNetworks


def isolated(network: DomainNetworks, *tasks: DomainTask) -> HardSharing:
    r"""A network for each domain, trained on it alone: what every method must beat.

    $$\min_{\theta_i} f_i(\theta_i) \text{ for each } i$$

    Args:
        network: copied for each domain, or one for each.
        tasks: of the domains, in order.
    """
    return HardSharing(network, *tasks, shared=0.0)


def share_all(network: DomainNetworks, *tasks: DomainTask) -> HardSharing:
    r"""One network for all domains, with batch statistics for each, and a classifier for each label space.

    $$\min_\theta \sum_i f_i(\theta)$$

    Args:
        network: of all domains.
        tasks: of the domains, in order.
    """
    return HardSharing(network, *tasks, shared=1.0)


def l2_reg_25(network: DomainNetworks, *tasks: DomainTask) -> HardSharing:
    """The first 25 % of the layers are all domains' in common, the others apart.

    Args:
        network: copied for each domain.
        tasks: of the domains, in order.
    """
    return HardSharing(network, *tasks, shared=0.25)


def l2_reg_50(network: DomainNetworks, *tasks: DomainTask) -> HardSharing:
    """The first 50 % of the layers are all domains' in common, the others apart.

    Args:
        network: copied for each domain.
        tasks: of the domains, in order.
    """
    return HardSharing(network, *tasks, shared=0.5)


def l2_reg(
    network: DomainNetworks,
    *tasks: DomainTask,
    trade_off: float = 0.1,
    order: Order = "in_turn",
    pull: PullForm = "proximal",
    shared: str = "*",
    unshared: str = "",
    batch_norm: bool = False,
    ends: bool = False,
) -> JointIRLS:
    r"""A network for each domain, all layers of all drawn together alike: `joint_irls` with weights that stay at 1.

    $$\min_\theta \sum_i f_i(\theta_i) + \lambda \sum_{i < j} \sum_l \lVert \varphi_i^l - \varphi_j^l \rVert^2$$

    Args:
        network: copied for each domain, or one for each.
        tasks: of the domains, in order.
        trade_off: $\lambda$.
        order: as in `joint_irls`.
        pull: as in `joint_irls`.
        shared: as in `joint_irls`.
        unshared: as in `joint_irls`.
        batch_norm: as in `joint_irls`.
        ends: as in `joint_irls`.
    """
    return JointIRLS(
        network,
        *tasks,
        trade_off=trade_off,
        weighting="none",
        order=order,
        pull=pull,
        shared=shared,
        unshared=unshared,
        batch_norm=batch_norm,
        ends=ends,
    )
