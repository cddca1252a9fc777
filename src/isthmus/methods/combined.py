"""A method with terms that it takes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial, reduce
from operator import and_

from torch import Tensor, nn

from isthmus.data.batches import UnsupervisedBatch
from isthmus.data.tasks import Setting
from isthmus.errors import OptionError
from isthmus.methods.base import Method, Plan, Predictor, Stage, Survey, Update
from isthmus.methods.single_backbone import SingleBackbone
from isthmus.methods.terms.base import Part, Seen, Term
from isthmus.nn.batch_norm import running_statistics_kept
from isthmus.nn.tracing import Passes, tracing

Steps = Callable[[UnsupervisedBatch, float], Iterator[Update]]


class Combined(Method[UnsupervisedBatch]):
    """A method whose updates are joined by terms.

    A part of a term joins every update that trains the backbone on features of the domains that the part needs. What no
    update of a batch has shown (the target, to a method that trains on the source alone) is passed at the batch's end,
    in an update of its own. So `mcd+dfa` is Algorithm 1 of DFA, and `source_only+entropy+dfa` its two steps a batch.

    The method's groups are this one's, and a term with parameters is a group more; all else that the method does
    (statistics of its own, what it does between epochs, what it finds) it goes on doing.
    """

    setting = Setting.UNSUPERVISED

    def __init__(self, method: SingleBackbone[UnsupervisedBatch], *terms: Term) -> None:
        super().__init__()
        self.method = method
        for term in terms:
            if any(term.name in dict(taken.named_children()) for taken in (method, self)):
                raise OptionError(f"Expected each term once, but got `{term.name}` twice.")
            self.add_module(term.name, term)
        self.terms = terms

    @property
    def convolutional(self) -> bool:
        return self.method.convolutional

    def groups(self) -> dict[str, nn.Module]:
        terms = {name: module for name, module in super().groups().items() if module is not self.method}
        return self.method.groups() | terms

    def learning_rates(self, lr: float, backbone_factor: float) -> dict[str, float]:
        return dict.fromkeys(self.groups(), lr) | self.method.learning_rates(lr, backbone_factor)

    def stage_rates(self, decay: float) -> dict[nn.Parameter, float]:
        return self.method.stage_rates(decay)

    def stages(self) -> tuple[Stage[UnsupervisedBatch], ...]:
        stages = self.method.stages()
        return tuple(replace(stage, steps=partial(self._joined, stage.steps)) for stage in stages)

    def steps(self, batch: UnsupervisedBatch, progress: float) -> Iterator[Update]:
        return self._joined(self.method.steps, batch, progress)

    def check(self, plan: Plan) -> None:
        self.method.check(plan)

    def before_epoch(self, epoch: int, progress: float, survey: Survey) -> None:
        self.method.before_epoch(epoch, progress, survey)

    def findings(self) -> Mapping[str, Tensor | Sequence[str]]:
        return self.method.findings()

    def predictors(self) -> tuple[Predictor, ...]:
        return self.method.predictors()

    def other_classifiers(self) -> Mapping[str, nn.Module]:
        return self.method.other_classifiers()

    def _joined(self, steps: Steps, batch: UnsupervisedBatch, progress: float) -> Iterator[Update]:
        parts = [part for term in self.terms for part in term.parts()]
        left = list(parts)
        traced = any(term.traced for term in self.terms)
        with tracing(self.method.backbone) if traced else nullcontext(Passes()) as passes:
            for update in steps(batch, progress):
                if "backbone" in update.groups:
                    shown = {"source": update.source, "target": update.target}
                    features = {domain: value for domain, value in shown.items() if value is not None}
                    due = [part for part in parts if set(part.sees) <= features.keys()]
                    left = [part for part in left if part not in due]
                    seen = Seen(batch, features, passes)
                    update = reduce(and_, (part.update(seen) for part in due), update)
                yield update
            if left:
                seen = Seen(batch, self._passed(batch, left), passes)
                yield reduce(and_, (part.update(seen) for part in left))

    def _passed(self, batch: UnsupervisedBatch, parts: list[Part]) -> dict[str, Tensor]:
        """Features of the domains that the parts need."""
        backbone = self.method.backbone
        images = {"source": batch.source.images, "target": batch.target.images}
        needed = [domain for domain in images if any(domain in part.sees for part in parts)]
        if len(needed) == 2 and self.method.follows_source:
            source, target = backbone.both(images["source"], images["target"])
            return {"source": source, "target": target}
        features = {}
        for domain in needed:  # in one order everywhere: processes average statistics pass by pass
            followed = domain == "target" or self.method.follows_source
            with nullcontext() if followed else running_statistics_kept(backbone):
                features[domain] = backbone(images[domain])
        return features
