"""JTLN: joint transfer learning network (Lu et al., "Optimal transport for deep joint transfer learning")."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import cast, get_args

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from isthmus.cache import cached
from isthmus.checks import at_least, leaves_an_epoch, positive, share
from isthmus.data.batches import InductiveBatch, Labelled
from isthmus.data.class_costs import read_costs, text_costs
from isthmus.data.tasks import Classification, Setting
from isthmus.errors import DataError, OptionError
from isthmus.functional.category_blocks import CategorySamples
from isthmus.functional.category_costs import LEAST, Metric, category_costs
from isthmus.functional.schedules import ramp
from isthmus.functional.transport import transport_loss
from isthmus.methods.base import Plan, Survey, Update
from isthmus.methods.single_backbone import SingleBackbone
from isthmus.names import unknown
from isthmus.nn.backbones.base import Backbone, WithNeck
from isthmus.nn.batch_norm import statistics_of
from isthmus.nn.processes import gathered

METRICS: tuple[str, ...] = get_args(Metric)
WARM_UP = 0.3
"""Share of the run after which the categories are compared, where the features have yet to be learned."""


class JTLN(SingleBackbone[InductiveBatch]):
    r"""Joint fine-tuning, and on target images the source's classifier agrees with the target's by optimal transport.

    $$\min_{f, h_s, h_t} -\frac{1}{n_t} \sum_i \log h_t(f(x^t_i))_{y^t_i}
    - \frac{\lambda_s}{n_s} \sum_i \log h_s(f(x^s_i))_{y^s_i}
    + \frac{\lambda_{ot}}{n_t} \sum_i \ell_{ot}\big(h_s(f(x^t_i)), h_t(f(x^t_i))\big)$$

    (eq. 4, whose printed form repeats the source's term). What it costs to move mass from a source class to a target
    class is the distance of the two classes' features, so that predicting a target class goes with predicting the
    source classes that look like it.

    Deviations: the costs are divided by their largest. Features that were not pretrained say nothing at first: then
    transport begins after `start` of the run, and the costs come from the features learned so far.

    Args:
        backbone: f, with the hidden classifier layers it proposes.
        source: the source's task.
        target: the target's task.
        cost: distance of categories: `mkmmd`, `mkmmd_quadratic`, `ot`, `euclidean` or `cosine` of their features,
            `text` for that of their names, or the path of a CSV file with a row for each source class and a column for
            each target class, both named.
        source_weight: $\lambda_s$.
        transport_weight: $\lambda_{ot}$ at the end.
        sharpness: $\lambda$ of the entropic term; the costs' largest is 1.
        gamma: how fast $\lambda_{ot}$ rises, as $2 / (1 + e^{-\gamma p}) - 1$ over what the start leaves of the run.
        start: share of the run after which transport begins; by default 0 on a pretrained backbone and
            with costs that need no features, else 0.3.
        refresh: epochs after which the costs are computed anew from the present features; 0 for never.
        detach_target: whether $\ell_{ot}$ trains the source's classifier and the features by $h_s$ only, the target's
            predictions being what they should agree with.
    """

    setting = Setting.INDUCTIVE
    follows_source = False
    cost: Tensor
    compared: Tensor

    def __init__(
        self,
        backbone: Backbone,
        source: Classification,
        target: Classification,
        *,
        cost: str = "mkmmd",
        source_weight: float = 1.0,
        transport_weight: float = 1.0,
        sharpness: float = 30.0,
        gamma: float = 10.0,
        start: float | None = None,
        refresh: int = 0,
        detach_target: bool = False,
    ) -> None:
        super().__init__()
        at_least(0, source_weight=source_weight, transport_weight=transport_weight, refresh=refresh)
        positive(sharpness=sharpness, gamma=gamma)
        if start is not None:
            share(start=start)
        self.backbone = WithNeck(backbone)
        self.head = nn.Linear(self.backbone.out_features, target.num_classes)
        self.source_head = nn.Linear(self.backbone.out_features, source.num_classes)
        known = None if cost in METRICS else _known_costs(cost, source, target)
        if known is not None and refresh:
            raise OptionError(f"Expected `refresh` 0 with `cost={cost}`, which no feature changes, but got {refresh}.")
        # Equal costs have no gradient: they stand for those that are yet to be found.
        self.register_buffer("cost", torch.ones(source.num_classes, target.num_classes) if known is None else known)
        self.register_buffer("compared", torch.tensor(-1 if known is None else 0))  # the epoch
        self.metric = cast(Metric, cost) if known is None else None
        self.tasks = source, target
        self.source_weight = source_weight
        self.transport_weight = transport_weight
        self.sharpness = sharpness
        self.gamma = gamma
        self.start = start if start is not None else 0.0 if backbone.pretrained or known is not None else WARM_UP
        self.refresh = refresh
        self.detach_target = detach_target
        self.transports = known is not None and self.start == 0

    def check(self, plan: Plan) -> None:
        leaves_an_epoch(plan.epochs, of="jtln", instead="jtln:start=0", start=self.start)
        if self.metric is not None:
            for task, counts in zip(self.tasks, plan.counts):
                _check_counts(self.metric, dict(zip(task.classes, counts)))

    def before_epoch(self, epoch: int, progress: float, survey: Survey) -> None:
        """Compare the categories where it is time to."""
        compared = int(self.compared)
        due = compared < 0 or 0 < self.refresh <= epoch - compared
        if self.metric is not None and progress >= self.start and due:
            self.cost.copy_(self._costs(self.metric, survey, trained=epoch > 0))
            self.compared.fill_(epoch)
        self.transports = progress >= self.start

    def findings(self) -> dict[str, Tensor]:
        return {"category_costs": self.cost} if self.compared >= 0 else {}

    def steps(self, batch: InductiveBatch, progress: float) -> Iterator[Update]:
        features_s, features_t = self.backbone.both(
            batch.source.images, batch.target.images, follow_source=self.follows_source
        )
        logits_t = self.head(features_t)

        target = cross_entropy(logits_t, batch.target.labels)
        source = cross_entropy(self.source_head(features_s), batch.source.labels)
        loss, log = target + self.source_weight * source, {"target": target, "source": source}
        if self.transports:
            p, q = self.source_head(features_t).softmax(dim=1), logits_t.softmax(dim=1)
            q = q.detach() if self.detach_target else q
            # All samples of a batch stop iterating together, whichever process they are in.
            transport = transport_loss(gathered(p), gathered(q), self.cost, sharpness=self.sharpness).mean()
            strength = ramp((progress - self.start) / (1 - self.start), gamma=self.gamma)
            loss, log = loss + self.transport_weight * strength * transport, log | {"transport": transport}
        yield Update(loss, on=("backbone", "head", "source_head"), log=log)

    def _costs(self, metric: Metric, survey: Survey, *, trained: bool) -> Tensor:
        """The distance of every source class to every target class in the present features, at most 1."""
        self.eval()
        own = trained and self.backbone.batch_norm == "separate"
        with self._as_in_training(survey) if own else nullcontext():
            source = self._samples(survey, 0)
        target = self._samples(survey, 1)

        def computed() -> Tensor:
            try:
                return category_costs(
                    source, target, metric=metric, on_progress=survey.track("category costs", self.cost.numel())
                )
            except ValueError as error:
                raise DataError(f"Categories cannot be compared by `cost={metric}`: {error}.") from error

        inputs = (source.features, source.labels, target.features, target.labels)
        return _scaled(cached(f"category-costs-{metric}", inputs, computed))

    def _as_in_training(self, survey: Survey) -> AbstractContextManager[None]:
        """Source features by statistics of their own: running ones have followed the target."""
        return statistics_of(self.backbone, (batch.images for batch in survey.samples(0)))

    @torch.no_grad()
    def _samples(self, survey: Survey, domain: int) -> CategorySamples:
        """Features and labels of all training samples of a domain."""
        features, labels = [], []
        for batch in survey.samples(domain):
            assert isinstance(batch, Labelled)  # as both domains of this setting are
            features.append(self.backbone(batch.images).float())
            labels.append(batch.labels)
        return CategorySamples(torch.cat(features), torch.cat(labels), self.cost.shape[domain])


def _check_counts(metric: Metric, counts: Mapping[str, int]) -> None:
    few = {name: count for name, count in counts.items() if count < LEAST[metric]}
    if few:
        name, count = next(iter(few.items()))
        others = f" and too few of {len(few) - 1} more" if len(few) > 1 else ""
        raise DataError(
            f"Expected at least {LEAST[metric]} training images of each class for `jtln:cost={metric}`, but got "
            f"{count} of `{name}`{others}. Add images, leave the class out, or compare means: `jtln:cost=euclidean`."
        )


def _known_costs(cost: str, source: Classification, target: Classification) -> Tensor:
    """Costs that need no features: of the classes' names, or a person's own."""
    if cost == "text":
        return _scaled(text_costs(source.classes, target.classes))
    if not cost.endswith(".csv"):
        raise unknown("cost", cost, (*METRICS, "text"), "The path of a CSV file will do as well.")
    return _scaled(read_costs(Path(cost), source.classes, target.classes))


def _scaled(costs: Tensor) -> Tensor:
    """Divided by the largest; where all are zero, as they are."""
    largest = costs.max()
    return costs / largest if largest > 0 else costs
