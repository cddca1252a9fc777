"""Domains, problems and exams: who has labels of what, and which domain counts."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from isthmus.data.inputs import Input, check_stored
from isthmus.data.recipes import Recipe
from isthmus.data.samples import Samples
from isthmus.data.tasks import Classification, Labels, Setting
from isthmus.errors import DataError, SettingError


@dataclass(frozen=True)
class Domain:
    """A named collection of samples with the labels that training may see.

    Attributes:
        name: what tables and messages call it.
        samples: the images or vectors.
        labels: the labels that training may see; None for an unlabelled domain.
    """

    name: str
    samples: Samples
    labels: Labels | None = None

    def __post_init__(self) -> None:
        check_lengths(self.name, self.samples, self.labels)


@dataclass(frozen=True)
class Exam:
    """Held-out labelled samples for measuring. Only evaluation reads it; no training batch is ever made from it.

    Attributes:
        name: of the domain it measures.
        samples: the images or vectors.
        labels: their true labels.
        transductive: whether these are the very samples that training saw without labels, as the papers' object
            benchmarks do, rather than samples held out.
    """

    name: str
    samples: Samples
    labels: Labels
    transductive: bool = False

    def __post_init__(self) -> None:
        check_lengths(self.name, self.samples, self.labels)


@dataclass(frozen=True)
class Problem:
    """Domains to train on together, and the exam to be measured by.

    Attributes:
        name: what tables and messages call it.
        domains: what training sees; the setting follows from their labels.
        input: how stored samples become network inputs.
        backbone: name of the default backbone.
        recipe: how training goes by default.
        exam: None where nobody knows the target's labels: then only label-free scores are reported.
        notes: what a reader of the results should know (skipped files, for instance).
    """

    name: str
    domains: tuple[Domain, ...]
    input: Input
    backbone: str
    recipe: Recipe = field(default_factory=Recipe)
    exam: Exam | None = None
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        exam = (self.exam,) if self.exam else ()
        for part in (*self.domains, *exam):
            first = part.samples.read(torch.zeros(1, dtype=torch.long), torch.Generator())
            check_stored(part.name, tuple(first.shape[1:]), self.input)

    @property
    def setting(self) -> Setting:
        """The setting that the domains' labels amount to."""
        tasks = [domain.labels.task if domain.labels else None for domain in self.domains]
        if len(tasks) == 2 and tasks[0] and tasks[1] is None:
            return Setting.UNSUPERVISED
        if len(tasks) == 2 and tasks[0] and tasks[1] and tasks[0] != tasks[1]:
            return Setting.INDUCTIVE
        if len(tasks) >= 2 and all(tasks):
            return Setting.JOINT
        labelled = [domain.name for domain in self.domains if domain.labels]
        raise SettingError(
            f"Problem `{self.name}` is none of the settings: {len(self.domains)} domains, of which labelled: "
            f"{', '.join(labelled) or 'none'}. Give a labelled source, and one target."
        )

    @property
    def task(self) -> Classification:
        """What is predicted on the domain that counts."""
        labels = next(domain.labels for domain in reversed(self.domains) if domain.labels)
        return labels.task

    @property
    def source(self) -> Domain:
        """The first domain."""
        return self.domains[0]

    @property
    def target(self) -> Domain:
        """The last domain, the one that counts in every two-domain setting."""
        return self.domains[-1]


def check_lengths(name: str, samples: Samples, labels: Labels | None) -> None:
    """Refuse an empty domain, and labels that do not match the samples in number.

    Raises:
        DataError: with both numbers.
    """
    if len(samples) == 0:
        raise DataError(f"Domain `{name}`: expected at least one sample, but got none.")
    if labels is not None and len(labels) != len(samples):
        raise DataError(f"Domain `{name}`: expected one label a sample, but got {len(labels)} for {len(samples)}.")
