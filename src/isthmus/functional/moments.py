"""Second moments of features, and how far those of two domains are apart."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from isthmus.functional.precision import product, widened


def covariance(features: Float[Tensor, "batch features"]) -> Float[Tensor, "features features"]:
    r"""Unbiased covariance of a batch, from two samples on.

    $$C = \frac{1}{n - 1} \sum_i (f_i - \bar f)(f_i - \bar f)^\top$$

    Source: Sun and Saenko, "Deep CORAL: correlation alignment for deep domain adaptation", eqs. (2) and (3), which have
    the same in sums of products that have not been centred, where rounding shows when means are large.

    >>> import torch
    >>> covariance(torch.tensor([[1.0, 0.0], [3.0, 1.0]]))
    tensor([[2.0000, 1.0000],
            [1.0000, 0.5000]])
    """
    values = widened(features)
    centred = values - values.mean(dim=0)
    return product(centred.mT, centred) / (len(features) - 1)


def coral(
    features_s: Float[Tensor, "source features"], features_t: Float[Tensor, "target features"]
) -> Float[Tensor, ""]:
    r"""Squared distance of the domains' covariances.

    $$\frac{1}{4 d^2} \lVert C_S - C_T \rVert_F^2$$

    for features of width d. Source: Sun and Saenko, "Deep CORAL", eq. (1). Means play no part:

    >>> import torch
    >>> features = torch.tensor([[1.0, 0.0], [3.0, 1.0]])
    >>> coral(features, features + 5).item(), coral(features, torch.zeros(3, 2)).item()
    (0.0, 0.390625)
    """
    return (covariance(features_s) - covariance(features_t)).square().mean() / 4
