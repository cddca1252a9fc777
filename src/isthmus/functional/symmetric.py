r"""Losses on two classifiers that share one softmax: SymNets, equations (5) to (10), (12) and (13).

`logits` are $v = [v^s; v^t] \in R^{2K}$: the outputs of the source classifier, then those of the target classifier.
$p^s$ and $p^t$ are the softmax over each half, $p^{st}$ the softmax over all 2K. A half's share of the probability
is computed as $\log \sum_{half} p^{st} = \mathrm{logsumexp}(v_{half}) - \mathrm{logsumexp}(v)$, so that nothing is
clamped.

Source: Zhang et al., "Domain-symmetric networks for adversarial domain adaptation", CVPR 2019. All are batch means.
"""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import cross_entropy

from isthmus.functional.precision import widened


def halves(logits: Float[Tensor, "batch two_k"]) -> tuple[Tensor, Tensor]:
    """The source classifier's logits and the target classifier's, (batch, K) each."""
    source, target = widened(logits).chunk(2, dim=1)
    return source, target


def domain_log_probabilities(logits: Float[Tensor, "batch two_k"]) -> tuple[Tensor, Tensor]:
    r"""$\log \sum_{k \le K} p^{st}_k$ and $\log \sum_{k > K} p^{st}_k$, (batch,) each.

    >>> import torch
    >>> source, target = domain_log_probabilities(torch.tensor([[3.0, 3.0, 3.0, 3.0]]))
    >>> source.exp().item(), target.exp().item()
    (0.5, 0.5)
    """
    source, target = halves(logits)
    total = widened(logits).logsumexp(dim=1)
    return source.logsumexp(dim=1) - total, target.logsumexp(dim=1) - total


def source_task(logits_s: Float[Tensor, "batch two_k"], labels: Int[Tensor, "batch"]) -> Float[Tensor, ""]:
    r"""(5): the source classifier learns the source labels.

    $$-\frac{1}{n_s} \sum_i \log p^s_{y_i}(x^s_i)$$
    """
    source, _ = halves(logits_s)
    return cross_entropy(source, labels)


def task(logits_s: Float[Tensor, "batch two_k"], labels: Int[Tensor, "batch"]) -> Float[Tensor, ""]:
    r"""(5) + (6): both classifiers learn the source labels. Half of it, for the features, is (13).

    $$-\frac{1}{n_s} \sum_i \log p^s_{y_i}(x^s_i) - \frac{1}{n_s} \sum_i \log p^t_{y_i}(x^s_i)$$
    """
    source, target = halves(logits_s)
    return cross_entropy(source, labels) + cross_entropy(target, labels)


def domain_discrimination(
    logits_s: Float[Tensor, "source two_k"], logits_t: Float[Tensor, "target two_k"]
) -> Float[Tensor, ""]:
    r"""(7): each domain's images belong to its own classifier's half.

    $$-\frac{1}{n_t} \sum_j \log \sum_k p^{st}_{k+K}(x^t_j) - \frac{1}{n_s} \sum_i \log \sum_k p^{st}_k(x^s_i)$$
    """
    source_half_s, _ = domain_log_probabilities(logits_s)
    _, target_half_t = domain_log_probabilities(logits_t)
    return -target_half_t.mean() - source_half_s.mean()


def category_confusion(logits_s: Float[Tensor, "batch two_k"], labels: Int[Tensor, "batch"]) -> Float[Tensor, ""]:
    r"""(8): a source image belongs equally to its class in both halves.

    $$-\frac{1}{2 n_s} \sum_i \log p^{st}_{y_i+K}(x^s_i) - \frac{1}{2 n_s} \sum_i \log p^{st}_{y_i}(x^s_i)$$
    """
    logits, classes = widened(logits_s), logits_s.shape[1] // 2
    return (cross_entropy(logits, labels + classes) + cross_entropy(logits, labels)) / 2


def domain_confusion(logits: Float[Tensor, "batch two_k"]) -> Float[Tensor, ""]:
    r"""(9) of target images, (12) of source images: an image belongs equally to both halves.

    $$-\frac{1}{2 n} \sum_i \log \sum_k p^{st}_{k+K}(x_i) - \frac{1}{2 n} \sum_i \log \sum_k p^{st}_k(x_i)$$
    """
    source_half, target_half = domain_log_probabilities(logits)
    return -(target_half.mean() + source_half.mean()) / 2


def paired_entropy(logits_t: Float[Tensor, "batch two_k"]) -> Float[Tensor, ""]:
    r"""(10): entropy over classes, the two neurons of a class taken together.

    $$-\frac{1}{n_t} \sum_j \sum_k q_k \log q_k, \qquad q_k = p^{st}_k(x^t_j) + p^{st}_{k+K}(x^t_j)$$
    """
    source, target = halves(logits_t)
    log_q = source.logaddexp(target) - widened(logits_t).logsumexp(dim=1, keepdim=True)
    return -(log_q.exp() * log_q).sum(dim=1).mean()
