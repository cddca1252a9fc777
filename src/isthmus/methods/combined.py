"""A method with terms that it takes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import replace
from functools import partial, reduce
from operator import and_

from torch import Tensor, nn

from isthmus.data.batches import UnsupervisedBatch
from isthmus.data.tasks import Setting
from isthmus.errors import OptionError
from isthmus.methods.base import Method, Stage, Update
from isthmus.methods.terms.base import Part, Seen, Term
from isthmus.nn.tied_decoder import Passes, tracing

Steps = Callable[[UnsupervisedBatch, float], Iterator[Update]]


class Combined(Method[UnsupervisedBatch]):
    """A method whose updates are joined by terms.

    A part of a term joins every update that trains the backbone on features of the domains that the part needs. What no
    update of a batch has shown (the target, to a method that trains on the source alone) is passed at the batch's end,
    in an update of its own. So `mcd+dfa` is Algorithm 1 of DFA, and `source_only+entropy+dfa` its two steps a batch.

    The method's networks become this one's, as groups of the same names; a term with parameters is a group more.
    """

    setting = Setting.UNSUPERVISED

    def __init__(self, method: Method[UnsupervisedBatch], *terms: Term) -> None:
        super().__init__()
        for name, network in [*method.named_children(), *((term.name, term) for term in terms)]:
            if name in dict(self.named_children()):
                raise OptionError(f"Expected each term once, but got `{name}` twice.")
            self.add_module(name, network)
        self._method = (method,)  # in a tuple, so that its networks are registered once
        self.terms = terms

    def learning_rates(self, lr: float, backbone_factor: float) -> dict[str, float]:
        return super().learning_rates(lr, backbone_factor) | self._method[0].learning_rates(lr, backbone_factor)

    def stages(self) -> tuple[Stage[UnsupervisedBatch], ...]:
        stages = self._method[0].stages()
        return tuple(replace(stage, steps=partial(self._joined, stage.steps)) for stage in stages)

    def steps(self, batch: UnsupervisedBatch, progress: float) -> Iterator[Update]:
        return self._joined(self._method[0].steps, batch, progress)

    def features(self, images: Tensor) -> Tensor:
        return self._method[0].features(images)

    def classifiers(self) -> dict[str, nn.Module]:
        return self._method[0].classifiers()

    def _joined(self, steps: Steps, batch: UnsupervisedBatch, progress: float) -> Iterator[Update]:
        parts = [part for term in self.terms for part in term.parts()]
        left = list(parts)
        traced = any(term.traced for term in self.terms)
        with tracing(self.backbone) if traced else nullcontext(Passes()) as passes:
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
        images = {"source": batch.source.images, "target": batch.target.images}
        needed = {domain for part in parts for domain in part.sees}
        if needed == images.keys():
            source, target = self.backbone.both(images["source"], images["target"])
            return {"source": source, "target": target}
        return {domain: self.backbone(images[domain]) for domain in needed}
