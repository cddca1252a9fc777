"""What each group of a method descends, beside the equations of its paper.

Every objective is written out in plain PyTorch from the networks' outputs, in float64, and compared with the method's
updates by the gradient that each group takes; where one loss trains all groups of an update, by its value too.
`symnets`, `domain_confusion`, `jtln` and the other settings have tests of their own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pytest
import torch
from small_problems import one_batch, problem_for
from torch import Tensor, nn

from isthmus.data.batches import Layout
from isthmus.methods import Method, build_method, method_entries
from isthmus.methods.registry import term_entries
from isthmus.names import joined_names
from isthmus.nn.backbones import build_backbone
from isthmus.nn.tracing import tracing

PROGRESS = 0.3
Expected = dict[tuple[str, ...], Tensor]
"""The losses of one update, by the groups that descend them."""


@dataclass
class Networks:
    """A method's networks and what they make of a batch."""

    method: Method[Any]
    batch: Any

    def __getattr__(self, name: str) -> Any:
        groups = self.method.groups()
        return groups[name] if name in groups else getattr(self.method, name)

    @cached_property
    def f_s(self) -> Tensor:
        features: Tensor = self.backbone(self.batch.source.images)
        return features

    @cached_property
    def f_t(self) -> Tensor:
        features: Tensor = self.backbone(self.batch.target.images)
        return features

    @property
    def task(self) -> Tensor:
        """Cross-entropy of the source labels."""
        return cross_entropy(self.head(self.f_s), self.batch.source.labels)

    @property
    def p_t(self) -> Tensor:
        """Predictions on the target."""
        return probabilities(self.head(self.f_t))

    @property
    def hidden(self) -> tuple[Tensor, Tensor]:
        """What the head's last layer sees of source and target."""
        return self.head[:-1](self.f_s), self.head[:-1](self.f_t)

    @property
    def told(self) -> Tensor:
        """The discriminator's cross-entropy on the features."""
        return domains_told(self.discriminator(self.f_s), self.discriminator(self.f_t))


def probabilities(logits: Tensor) -> Tensor:
    return logits.exp() / logits.exp().sum(1, keepdim=True)


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    return -probabilities(logits)[torch.arange(len(labels)), labels].log().mean()


def entropies(p: Tensor) -> Tensor:
    return -(p * p.log()).sum(1)


def ramp(gamma: float = 10) -> float:
    return 2 / (1 + math.exp(-gamma * PROGRESS)) - 1


def domains_told(source: Tensor, target: Tensor) -> Tensor:
    """The mean over both domains of the cross-entropy of logits for the target."""
    return -((1 - source.sigmoid()).log().mean() + target.sigmoid().log().mean()) / 2


def distances(x: Tensor) -> Tensor:
    return (x[:, None] - x).square().sum(2)


def kernel(x: Tensor, count: int) -> Tensor:
    """Sum of Gaussian kernels of all pairs; bandwidths double around the mean squared distance, a constant."""
    squared, n = distances(x), len(x)
    bandwidth = squared.sum().item() / (n * (n - 1))
    return sum((-squared / (bandwidth * 2.0**u)).exp() for u in range(-(count // 2), count - count // 2))  # type: ignore[return-value]


def unbiased_mmd(k: Tensor, source: int) -> Tensor:
    """Gretton et al., (3), a pair at a time."""
    n, total = len(k), torch.zeros((), dtype=k.dtype)
    for i in range(n):
        for j in range(n):
            m = source if i < source else n - source
            if i == j:
                continue
            if (i < source) == (j < source):
                total = total + k[i, j] / (m * (m - 1))
            else:
                total = total - k[i, j] / (source * (n - source))
    return total


def mmd(x_s: Tensor, x_t: Tensor, count: int = 5) -> Tensor:
    return unbiased_mmd(kernel(torch.cat([x_s, x_t]), count), len(x_s))


def source_only(n: Networks) -> Iterator[Expected]:
    yield {("backbone", "head"): n.task}


def dann(n: Networks) -> Iterator[Expected]:
    """(9) and (18): the features climb what the discriminator descends."""
    yield {("backbone", "head"): n.task - 0.7 * ramp(5) * n.told, ("discriminator",): n.told}


def dan(layers: str) -> Callable[[Networks], Iterator[Expected]]:
    def equation(n: Networks) -> Iterator[Expected]:
        matched = {"features": (n.f_s, n.f_t), "logits": (n.head(n.f_s), n.head(n.f_t))}
        chosen = matched.values() if layers == "both" else [matched[layers]]
        yield {("backbone", "head"): n.task + 0.3 * sum(mmd(*pair) for pair in chosen)}

    return equation


def jan(n: Networks) -> Iterator[Expected]:
    """The kernel of features times that of predictions."""
    predictions = torch.cat([probabilities(n.head(n.f_s)), n.p_t])
    joint = kernel(torch.cat([n.f_s, n.f_t]), 5) * (-distances(predictions) / 1.68).exp()
    yield {("backbone", "head"): n.task + 0.3 * ramp(5) * unbiased_mmd(joint, len(n.f_s))}


def deep_coral(layer: str) -> Callable[[Networks], Iterator[Expected]]:
    def equation(n: Networks) -> Iterator[Expected]:
        """(1)."""
        x_s, x_t = (n.f_s, n.f_t) if layer == "features" else (n.head(n.f_s), n.head(n.f_t))
        gap = (torch.cov(x_s.T) - torch.cov(x_t.T)).square().sum() / (4 * x_s.shape[1] ** 2)
        yield {("backbone", "head"): n.task + 0.3 * gap}

    return equation


def mcc(n: Networks) -> Iterator[Expected]:
    p = probabilities(n.head(n.f_t) / 1.5)
    weights = (1 + (-entropies(p)).exp()).detach()
    confusion = p.T @ (weights[:, None] * p)
    confusion = confusion / confusion.sum(1, keepdim=True)
    yield {("backbone", "head"): n.task + 0.3 * (confusion.sum() - confusion.trace()) / len(confusion)}


def bnm(n: Networks) -> Iterator[Expected]:
    """The nuclear norm is the trace of the root of PᵀP."""
    norm = torch.linalg.eigvalsh(n.p_t.T @ n.p_t).sqrt().sum()
    yield {("backbone", "head"): n.task - 0.3 * norm / len(n.p_t)}


def hafn(n: Networks) -> Iterator[Expected]:
    norms = [h.square().sum(1).sqrt().mean() for h in n.hidden]
    yield {("backbone", "head"): n.task + 0.2 * sum((norm - 20) ** 2 for norm in norms)}


def enlarged(n: Networks) -> Tensor:
    """(21) of DFA and entropy, of SAFN's options below."""
    norms = [h.square().sum(1).sqrt() for h in n.hidden]
    growth = torch.stack([(norm - (norm.detach() + 0.5)).square().mean() for norm in norms]).sum()
    return n.task + 0.2 * growth + 0.3 * entropies(n.p_t).mean()


def safn(n: Networks) -> Iterator[Expected]:
    yield {("backbone", "head"): enlarged(n)}


def cdan(entropy: bool) -> Callable[[Networks], Iterator[Expected]]:
    def equation(n: Networks) -> Iterator[Expected]:
        told = torch.zeros((), dtype=torch.float64)
        for features, side in ((n.f_s, -1), (n.f_t, 1)):
            g = probabilities(n.head(features)).detach()
            products = (features[:, :, None] * g[:, None, :]).flatten(1)
            logits = n.discriminator.discriminator(products)
            weights = 1 + (-entropies(g)).exp() if entropy else torch.ones(len(g), dtype=g.dtype)
            told = told - (weights * torch.sigmoid(side * logits).log()).sum() / weights.sum() / 2
        yield {("backbone", "head"): n.task - 0.7 * ramp(5) * told, ("discriminator",): told}

    return equation


def adda(n: Networks) -> Iterator[Expected]:
    """(7) and (9): the target's features are told from those of the source's network, then pass for them."""
    source = n.source_backbone(n.batch.source.images)
    logits_t = n.discriminator(n.f_t)
    yield {("discriminator",): domains_told(n.discriminator(source), logits_t)}
    yield {("backbone",): -(1 - logits_t.sigmoid()).log().mean()}


def two_tasks(n: Networks) -> Tensor:
    labels = n.batch.source.labels
    return cross_entropy(n.head.first(n.f_s), labels) + cross_entropy(n.head.second(n.f_s), labels)


def disagreement(n: Networks) -> Tensor:
    return (probabilities(n.head.first(n.f_t)) - probabilities(n.head.second(n.f_t))).abs().mean()


def mcd(n: Networks) -> Iterator[Expected]:
    yield {("backbone", "head"): two_tasks(n)}
    yield {("head",): two_tasks(n) - disagreement(n)}
    for _ in range(2):
        yield {("backbone",): disagreement(n)}


def prior(n: Networks) -> Tensor:
    drawn: Tensor = n.batch.noise(n.f_s.shape[1])
    return drawn


def divergence(features: Tensor, prior: Tensor) -> Tensor:
    """(17) of softmaxes, over the number of elements."""
    q, p = probabilities(prior), probabilities(features)
    return (q * (q / p).log()).sum() / q.numel()


def decoded(n: Networks, *features: Tensor, images: Tensor) -> list[Tensor]:
    """What the decoder makes of features, unpooled as `images` were pooled."""
    with tracing(n.backbone) as passes:
        trace = passes.of(n.backbone(images))
    return [n.dfa.decoder(part, trace) for part in features]


def kld(n: Networks) -> Tensor:
    return divergence(n.f_s, prior(n))


def dal(n: Networks) -> Tensor:
    """(18)."""
    of_target, of_prior = decoded(n, n.f_t, prior(n), images=n.batch.target.images)
    return (of_target - of_prior).abs().mean()


def entropy(*groups: str) -> Callable[[Networks], Iterator[Expected]]:
    def equation(n: Networks) -> Iterator[Expected]:
        yield {("backbone", "head"): n.task}
        yield {groups: 0.3 * entropies(n.p_t).mean()}

    return equation


def dann_with_terms(n: Networks) -> Iterator[Expected]:
    """Both terms join the one update."""
    certain = 0.1 * entropies(n.p_t).mean()
    features = n.task - ramp() * n.told + certain + 0.01 * kld(n) + 10 * dal(n)
    yield {("backbone",): features, ("head",): n.task + certain, ("discriminator",): n.told}


def dfa_ent(n: Networks) -> Iterator[Expected]:
    """(20), in two steps."""
    yield {("backbone",): n.task + 0.2 * kld(n), ("head",): n.task}
    certain = 0.3 * entropies(n.p_t).mean()
    yield {("backbone",): certain + 5 * dal(n), ("head",): certain}


def dfa_mcd(n: Networks) -> Iterator[Expected]:
    """Algorithm 1."""
    yield {("backbone",): two_tasks(n) + 0.2 * kld(n), ("head",): two_tasks(n)}
    yield {("head",): two_tasks(n) - disagreement(n)}
    for _ in range(2):
        yield {("backbone",): disagreement(n) + 5 * dal(n)}


def dfa_safn(n: Networks) -> Iterator[Expected]:
    """Algorithm 2."""
    yield {("backbone",): enlarged(n) + 0.2 * kld(n) + 5 * dal(n), ("head",): enlarged(n)}


def dfa_target_prior(n: Networks) -> Iterator[Expected]:
    yield {("backbone",): n.task + 0.01 * kld(n), ("head",): n.task}
    yield {("backbone",): 0.01 * divergence(n.f_t, prior(n))}


def dfa_latents(n: Networks) -> Iterator[Expected]:
    yield source_task(n)
    yield {("backbone",): 0.01 * divergence(n.f_t, n.f_s)}


def reconstructions(n: Networks) -> tuple[Tensor, Tensor]:
    (source,) = decoded(n, n.f_s, images=n.batch.source.images)
    (target,) = decoded(n, n.f_t, images=n.batch.target.images)
    return source, target


def dfa_decodings(n: Networks) -> Iterator[Expected]:
    yield source_task(n)
    source, target = reconstructions(n)
    yield {("backbone",): 10 * (target - source).abs().mean()}


def dfa_latents_and_images(n: Networks) -> Iterator[Expected]:
    yield source_task(n)
    source, target = reconstructions(n)
    images = (source - n.batch.source.images).abs().mean() + (target - n.batch.target.images).abs().mean()
    yield {("backbone",): 0.01 * divergence(n.f_t, n.f_s) + 10 * images}


def source_task(n: Networks) -> Expected:
    return {("backbone", "head"): n.task}


def target_task(n: Networks) -> Tensor:
    return cross_entropy(n.head(n.f_t), n.batch.target.labels)


def source_heads_task(n: Networks) -> Tensor:
    return cross_entropy(n.source_head(n.f_s), n.batch.source.labels)


def finetune_target(n: Networks) -> Iterator[Expected]:
    yield {("backbone", "head"): target_task(n)}


def source_first(n: Networks) -> Iterator[Expected]:
    yield {("backbone", "source_head"): source_heads_task(n)}


def joint_finetune(n: Networks) -> Iterator[Expected]:
    yield {("backbone", "head", "source_head"): target_task(n) + 0.3 * source_heads_task(n)}


OBJECTIVES: dict[str, tuple[Callable[[Networks], Iterator[Expected]], ...]] = {
    "source_only": (source_only,),
    "dann:trade_off=0.7,gamma=5": (dann,),
    "mcd:generator_steps=2": (mcd,),
    "hafn:radius=20,weight=0.2": (hafn,),
    "safn:step=0.5,weight=0.2,entropy_weight=0.3": (safn,),
    "dan:trade_off=0.3": (dan("both"),),
    "dan:trade_off=0.3,layers=features": (dan("features"),),
    "dan:trade_off=0.3,layers=logits": (dan("logits"),),
    "jan:trade_off=0.3,gamma=5": (jan,),
    "adda": (source_only, adda),
    "cdan:trade_off=0.7,gamma=5": (cdan(entropy=False),),
    "cdan:trade_off=0.7,gamma=5,entropy=true": (cdan(entropy=True),),
    "deep_coral:trade_off=0.3": (deep_coral("logits"),),
    "deep_coral:trade_off=0.3,layer=features": (deep_coral("features"),),
    "adabn": (source_only,),
    "mcc:trade_off=0.3,temperature=1.5": (mcc,),
    "bnm:trade_off=0.3": (bnm,),
    "dfa_ent:alpha=0.2,beta=5,entropy_weight=0.3": (dfa_ent,),
    "dfa_mcd:alpha=0.2,beta=5,generator_steps=2": (dfa_mcd,),
    "dfa_safn:alpha=0.2,beta=5,step=0.5,weight=0.2,entropy_weight=0.3": (dfa_safn,),
    "source_only+entropy:weight=0.3": (entropy("backbone", "head"),),
    "source_only+entropy:weight=0.3,features_only=true": (entropy("backbone"),),
    "source_only+dfa:align=target_prior": (dfa_target_prior,),
    "source_only+dfa:align=latents": (dfa_latents,),
    "source_only+dfa:align=decodings": (dfa_decodings,),
    "source_only+dfa:align=latents_and_images": (dfa_latents_and_images,),
    "dann+entropy+dfa": (dann_with_terms,),
    "finetune_target": (finetune_target,),
    "consecutive": (source_first, finetune_target),
    "joint_finetune:source_weight=0.3": (joint_finetune,),
}
"""The equations of each stage of a method."""


def networks(name: str) -> Networks:
    torch.manual_seed(0)
    problem = problem_for(name)
    method = build_method(name, build_backbone(problem.backbone, problem.input.shape), *problem.outputs)
    with torch.no_grad():
        for parameter in method.parameters():  # so that no two networks are the same
            parameter += 0.05 * torch.randn_like(parameter)
    return Networks(method.double().train(), one_batch(name).to(Layout(torch.device("cpu"), torch.float64)))


@pytest.mark.parametrize(
    ("name", "stage"), [(name, stage) for name, stages in OBJECTIVES.items() for stage in range(len(stages))]
)
def test_every_group_descends_its_equation(name: str, stage: int) -> None:
    n = networks(name)
    assert len(n.method.stages()) == len(OBJECTIVES[name])
    updates = list(n.method.stages()[stage].steps(n.batch, PROGRESS))
    for update, expected in zip(updates, OBJECTIVES[name][stage](n), strict=True):
        assert set(update.groups) == {group for groups in expected for group in groups}
        if len(update.objectives) == len(expected) == 1:
            torch.testing.assert_close(update.objectives[0].loss, next(iter(expected.values())))
        for groups, loss in expected.items():
            for group in groups:
                descended = sum(objective.loss for objective in update.objectives if group in objective.on)
                assert isinstance(descended, Tensor)
                gradients = slopes(descended, n.method.groups()[group])
                wanted = slopes(loss, n.method.groups()[group])
                assert wanted.norm() > 1e-4, "a gradient that would show a mistake"
                torch.testing.assert_close(gradients, wanted, rtol=1e-7, atol=1e-10)


def slopes(loss: Tensor, group: nn.Module) -> Tensor:
    """The gradient on all parameters of a group as one vector."""
    parameters = list(group.parameters())
    parts = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
    return torch.cat([torch.zeros_like(p).flatten() if g is None else g.flatten() for p, g in zip(parameters, parts)])


def test_no_method_is_without_its_equation() -> None:
    elsewhere = {"symnets", "domain_confusion", "jtln"}
    written = {part.partition(":")[0] for name in OBJECTIVES for part in joined_names(name)}
    methods = {entry.name for entry in method_entries() if entry.setting in ("unsupervised", "inductive")}
    terms = {entry.name.removeprefix("+") for entry in term_entries() if entry.setting == "unsupervised"}
    assert written == (methods | terms) - elsewhere


@pytest.mark.parametrize("name", ["joint_finetune", "jtln"])
def test_running_statistics_follow_the_target_alone_where_prediction_is_for_it(name: str) -> None:
    """After one batch the first batch norm's mean is a tenth of the target's."""
    n = networks(name)
    list(n.method.steps(n.batch, PROGRESS))
    modules = list(n.backbone.modules())
    first = next(module for module in modules if isinstance(module, nn.Conv2d))
    norm = next(module for module in modules if isinstance(module, nn.BatchNorm2d))
    assert norm.running_mean is not None
    torch.testing.assert_close(norm.running_mean, 0.1 * first(n.batch.target.images).mean(dim=(0, 2, 3)).detach())
