"""The distance of two Gaussians: of how features of generated images are spread, and those of real ones."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor


def mean_and_covariance(
    features: Float[Tensor, "samples width"],
) -> tuple[Float[Tensor, "width"], Float[Tensor, "width width"]]:
    """Of two samples or more, in double precision; the covariance over samples - 1.

    >>> mean_and_covariance(torch.tensor([[0.0], [2.0]]))
    (tensor([1.], dtype=torch.float64), tensor([[2.]], dtype=torch.float64))
    """
    wide = features.double()
    mean = wide.mean(dim=0)
    centred = wide - mean
    return mean, centred.T @ centred / (len(features) - 1)


def frechet_distance(first: Float[Tensor, "samples width"], second: Float[Tensor, "others width"]) -> Float[Tensor, ""]:
    r"""The squared Fréchet distance of the Gaussians that have two sets of features' means and covariances.

    $$\lVert \mu_1 - \mu_2 \rVert^2
    + \operatorname{tr}\big(\Sigma_1 + \Sigma_2 - 2 (\Sigma_1^{1/2} \Sigma_2 \Sigma_1^{1/2})^{1/2}\big)$$

    The root's trace is that of the eigenvalues' roots of a symmetric matrix, so that covariances of fewer samples than
    features, which have no inverse, do as well. In double precision, and never below zero.

    Source: Dowson and Landau, "The Fréchet distance between multivariate normal distributions", 1982; of images'
    features, Heusel et al., "GANs trained by a two time-scale update rule converge to a local Nash equilibrium",
    NeurIPS 2017.

    >>> frechet_distance(torch.tensor([[-1.0], [1.0]]), torch.tensor([[2.0], [4.0]]))
    tensor(9., dtype=torch.float64)
    """
    (mean_1, covariance_1), (mean_2, covariance_2) = mean_and_covariance(first), mean_and_covariance(second)
    values, vectors = torch.linalg.eigh(covariance_1)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    crossed = torch.linalg.eigvalsh(root @ covariance_2 @ root).clamp(min=0).sqrt().sum()
    spread = covariance_1.trace() + covariance_2.trace() - 2 * crossed
    distance: Tensor = (mean_1 - mean_2).square().sum() + spread
    return distance.clamp(min=0)
