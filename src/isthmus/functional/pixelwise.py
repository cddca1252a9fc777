r"""Losses of pixel-wise tasks over the pixels that count: normals, segmentation, depth, and keypoints as heatmaps.

Each is a mean over all valid pixels (or points) of the batch together, and zero without any. What labels hold
elsewhere, even NaN, has no effect. Source: Sengupta et al., "SfSNet", CVPR 2018, for normals; Bulat and Tzimiropoulos,
"How far are we from solving the 2D & 3D face alignment problem?", ICCV 2017, for keypoints in space as heatmaps and a
vector of depths.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import cross_entropy, interpolate, normalize

from isthmus.functional.precision import widened

IGNORED = 255
"""The label of pixels that are of no class."""


def normals_loss(
    predicted: Float[Tensor, "batch 3 height width"],
    normals: Float[Tensor, "batch 3 height width"],
    valid: Bool[Tensor, "batch height width"],
) -> Float[Tensor, ""]:
    r"""One less the cosine of the angle between prediction $\hat{n}$, of any length, and normal n, over valid pixels V.

    $$\frac{1}{|V|} \sum_{v \in V} 1 - \frac{\hat{n}_v \cdot n_v}{\lVert \hat{n}_v \rVert \, \lVert n_v \rVert}$$

    >>> up, right = torch.tensor([0.0, 2.0, 0.0]).view(1, 3, 1, 1), torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1)
    >>> valid = torch.ones(1, 1, 1, dtype=torch.bool)
    >>> normals_loss(up, up, valid).item(), normals_loss(up, right, valid).item(), normals_loss(up, -up, valid).item()
    (0.0, 1.0, 2.0)
    """
    normals = torch.where(valid[:, None], widened(normals), 0)
    cosine = (normalize(widened(predicted), dim=1) * normalize(normals, dim=1)).sum(dim=1)
    return _mean_over(1 - cosine, valid)


def segmentation_loss(
    logits: Float[Tensor, "batch classes height width"], labels: Int[Tensor, "batch height width"]
) -> Float[Tensor, ""]:
    r"""Cross-entropy over the pixels V whose label is not `IGNORED`.

    $$-\frac{1}{|V|} \sum_{v \in V} \log \mathrm{softmax}(z_v)_{y_v}$$
    """
    # Pixel by pixel: the sum over maps is not deterministic on a GPU.
    pixels = widened(logits).permute(0, 2, 3, 1).flatten(0, 2)
    total = cross_entropy(pixels, labels.flatten(), ignore_index=IGNORED, reduction="sum")
    return total / (labels != IGNORED).sum().clamp(min=1)


def depth_loss(
    predicted: Float[Tensor, "*shape"], depth: Float[Tensor, "*shape"], valid: Bool[Tensor, "*shape"]
) -> Float[Tensor, ""]:
    r"""Mean absolute difference over what is valid: pixels of a map, or keypoints.

    $$\frac{1}{|V|} \sum_{v \in V} |\hat{d}_v - d_v|$$
    """
    depth = torch.where(valid, widened(depth), 0)
    return _mean_over((widened(predicted) - depth).abs(), valid)


def heatmap_loss(
    predicted: Float[Tensor, "batch points height width"],
    heatmaps: Float[Tensor, "batch points height width"],
    valid: Bool[Tensor, "batch points"],
) -> Float[Tensor, ""]:
    r"""Mean squared difference of maps of W × H pixels, over the points V that have a label.

    $$\frac{1}{|V| W H} \sum_{v \in V} \lVert \hat{h}_v - h_v \rVert^2$$
    """
    heatmaps = torch.where(valid[:, :, None, None], widened(heatmaps), 0)
    return _mean_over((widened(predicted) - heatmaps).square().mean(dim=(2, 3)), valid)


def upsampled(
    maps: Float[Tensor, "batch channels height width"], size: tuple[int, int]
) -> Float[Tensor, "batch channels tall wide"]:
    """Bilinear, to `size`: the resolution of the labels."""
    return interpolate(widened(maps), size=size, mode="bilinear", align_corners=False)


def upsampled_normals(
    maps: Float[Tensor, "batch 3 height width"], size: tuple[int, int]
) -> Float[Tensor, "batch 3 tall wide"]:
    """Normals of any length at the resolution of the labels, of unit length there."""
    return normalize(upsampled(normalize(widened(maps), dim=1), size), dim=1)


def gaussian_heatmaps(
    positions: Float[Tensor, "batch points 2"], height: int, width: int, deviation: float
) -> Float[Tensor, "batch points height width"]:
    r"""A Gaussian of height one around each point, $\exp(-\lVert u - p \rVert^2 / 2 \sigma^2)$ at the pixel u.

    Args:
        positions: x and y in pixels of the map, which spans 0 to `width` and 0 to `height`: the middle of the first
            pixel is at 0.5.
        height: of the map.
        width: of the map.
        deviation: σ, in pixels of the map.

    >>> gaussian_heatmaps(torch.tensor([[[1.5, 0.5]]]), 1, 3, 1.0)
    tensor([[[[0.6065, 1.0000, 0.6065]]]])
    """
    x, y = widened(positions)[..., None].unbind(dim=2)
    columns = torch.arange(width, device=x.device, dtype=x.dtype) + 0.5
    rows = torch.arange(height, device=x.device, dtype=x.dtype) + 0.5
    across = torch.exp(-(columns - x).square() / (2 * deviation**2))
    down = torch.exp(-(rows - y).square() / (2 * deviation**2))
    return down[..., :, None] * across[..., None, :]


def heatmap_peaks(heatmaps: Float[Tensor, "batch points height width"]) -> Float[Tensor, "batch points 2"]:
    r"""Where each map's largest value is, as x and y between pixels: the inverse of `gaussian_heatmaps`.

    Along each axis the parabola through the logarithms $l$ of the largest value and its two neighbours has its top at
    $(l_{+} - l_{-}) / 2 (2 l_0 - l_{+} - l_{-})$ from the pixel's middle. For a Gaussian that is exact. On the border,
    and where a neighbour is not positive, it is the pixel's middle.

    >>> heatmap_peaks(gaussian_heatmaps(torch.tensor([[[1.25, 2.5]]]), 4, 4, 1.0))
    tensor([[[1.2500, 2.5000]]])
    """
    heatmaps = widened(heatmaps)
    height, width = heatmaps.shape[2:]
    best = heatmaps.flatten(2).argmax(dim=2)
    row, column = best // width, best % width
    x = column + 0.5 + _offset(heatmaps, best, 1, (column > 0) & (column < width - 1))
    y = row + 0.5 + _offset(heatmaps, best, width, (row > 0) & (row < height - 1))
    return torch.stack([x, y], dim=2)


def _offset(heatmaps: Tensor, best: Tensor, stride: int, inside: Tensor) -> Tensor:
    values = heatmaps.flatten(2)
    steps = torch.where(inside, stride, 0)
    before, at, after = (values.gather(2, (best + k * steps)[..., None]).squeeze(2) for k in (-1, 0, 1))
    inside = inside & (torch.minimum(before, after) > 0)
    before, at, after = (torch.where(inside, value, 1).log() for value in (before, at, after))
    curvature = 2 * at - before - after
    return torch.where(curvature > 0, (after - before) / (2 * curvature), 0).clamp(-0.5, 0.5)


def _mean_over(values: Tensor, valid: Tensor) -> Tensor:
    return torch.where(valid, values, 0).sum() / valid.sum().clamp(min=1)
