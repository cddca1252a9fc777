"""Domains, problems and exams: who has labels of what, and which domain counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from isthmus.data.inputs import ImageInput, Input, check_stored
from isthmus.data.pixelwise import AnchoredTasks, PixelLabels
from isthmus.data.recipes import Recipe
from isthmus.data.samples import Samples
from isthmus.data.tasks import Classification, Completion, DomainTask, ImageTask, Labels, Setting
from isthmus.errors import DataError, OptionError, SettingError
from isthmus.names import AVERAGE, Predicted, listed, slug


@dataclass(frozen=True)
class Domain:
    """A named collection of samples with the labels that training may see.

    Attributes:
        name: what tables and messages call it.
        samples: the images or vectors.
        labels: the classes that training may see; None for a domain without.
        pixels: the labels of pixel-wise tasks that training may see; None for a domain without.
        task: what is learned of images without labels; None where labels say what is learned.
    """

    name: str
    samples: Samples
    labels: Labels | None = None
    pixels: PixelLabels | None = None
    task: ImageTask | None = None

    def __post_init__(self) -> None:
        check_lengths(self.name, self.samples, self.labels)
        check_lengths(self.name, self.samples, self.pixels)


@dataclass(frozen=True)
class Exam:
    """Held-out samples, with the truth about them. Only evaluation reads it; no training batch is ever made from it.

    Attributes:
        name: of the domain it measures.
        samples: the images or vectors.
        truth: their classes, or labels of their pixels: of the main tasks, and of anchor tasks where they are known.
            None where images are completed or generated: then they are themselves what is looked for.
        transductive: whether these are the very samples that training saw without labels, as the papers' object
            benchmarks do, rather than samples held out.
    """

    name: str
    samples: Samples
    truth: Labels | PixelLabels | None = None
    transductive: bool = False

    def __post_init__(self) -> None:
        check_lengths(self.name, self.samples, self.truth)

    @property
    def labels(self) -> Labels:
        """The classes of an exam that asks for classes."""
        if not isinstance(self.truth, Labels):
            raise DataError(f"Exam `{self.name}`: expected classes, but got {_kind(self.truth)}.")
        return self.truth

    @property
    def pixels(self) -> PixelLabels:
        """The labels of an exam of pixel-wise tasks."""
        if not isinstance(self.truth, PixelLabels):
            raise DataError(f"Exam `{self.name}`: expected labels of pixels, but got {_kind(self.truth)}.")
        return self.truth


@dataclass(frozen=True)
class Problem:
    """Domains to train on together, and the exam to be measured by.

    Attributes:
        name: what tables and messages call it.
        domains: what training sees; the setting follows from their labels.
        input: how stored samples become network inputs.
        backbone: name of the default backbone.
        backbones: of a joint problem, instead of that, the name of each domain's own, in order.
        recipe: how training goes by default.
        exams: one for the target; or one for each domain, in order: then labelled domains make a joint problem, even
            two of different classes. None where nobody knows the labels: then only label-free scores are reported.
        notes: what a reader of the results should know (skipped files, for instance).
        oracle: of a problem of pixel-wise tasks, the main labels of the target's own samples: for the method `oracle`,
            which bounds the others, and for none else.
        built_in: whether `load_problem` gives it, by its name.
    """

    name: str
    domains: tuple[Domain, ...]
    input: Input
    backbone: str
    recipe: Recipe = field(default_factory=Recipe)
    exams: tuple[Exam, ...] = ()
    notes: tuple[str, ...] = ()
    oracle: PixelLabels | None = None
    backbones: tuple[str, ...] = ()
    built_in: bool = False

    def __post_init__(self) -> None:
        parts: tuple[Domain | Exam, ...] = (*self.domains, *self.exams)
        for part in parts:
            check_stored(part.name, part.samples, self.input)
        if any(domain.task for domain in self.domains):
            _check_image_tasks(self.name, self.domains, self.input)
        if len(self.exams) > 1:
            _check_names(self.name, self.domains)
            _check_exams(self.name, self.domains, self.exams)
        if self.backbones:
            _check_backbones(self)
        if self.predicted == "pixels":
            check_still(self.name, self.input)
            _check_main(self)
        if self.oracle is not None:
            check_lengths(self.target.name, self.target.samples, self.oracle)

    @property
    def setting(self) -> Setting:
        """The setting that the domains' labels amount to."""
        if self.predicted == "pixels":
            _check_anchored(self.name, self.domains)
            return Setting.ASSISTED
        if self.predicted == "images":
            return Setting.JOINT
        tasks = [domain.labels.task if domain.labels else None for domain in self.domains]
        if len(tasks) == 2 and tasks[0] and tasks[1] is None:
            return Setting.UNSUPERVISED
        if len(tasks) == 2 and tasks[0] and tasks[1] and tasks[0] != tasks[1] and len(self.exams) < 2:
            return Setting.INDUCTIVE
        if len(tasks) >= 2 and all(tasks):
            return Setting.JOINT
        labelled = [domain.name for domain in self.domains if domain.labels]
        raise SettingError(
            f"Problem `{self.name}` is none of the settings: {len(self.domains)} domains, of which labelled: "
            f"{', '.join(labelled) or 'none'}. Give a labelled source, and one target."
        )

    @property
    def predicted(self) -> Predicted:
        """What models of the problem predict."""
        if any(domain.pixels for domain in self.domains):
            return "pixels"
        return "classes" if self.image_task is None else "images"

    @property
    def task(self) -> Classification:
        """The classes that are told apart on the domain that counts, of a problem with some."""
        labels = next(domain.labels for domain in reversed(self.domains) if domain.labels)
        return labels.task

    @property
    def image_task(self) -> ImageTask | None:
        """What is learned of images without labels; None where labels say what is learned."""
        return self.domains[0].task

    @property
    def tasks(self) -> AnchoredTasks:
        """Of a problem of pixel-wise tasks: the main ones, labelled on the source alone, and the anchors."""
        source, target = (domain.pixels for domain in (self.source, self.target))
        anchors = target.tasks if target else ()
        main = tuple(task for task in (source.tasks if source else ()) if task not in anchors)
        return AnchoredTasks(main, anchors)

    @property
    def outputs(self) -> tuple[int | DomainTask | AnchoredTasks, ...]:
        """What a method of the setting is built for, besides a backbone.

        In the unsupervised setting the number of classes, in the assisted one main and anchor tasks, in others the task
        of every domain.
        """
        if self.setting is Setting.ASSISTED:
            return (self.tasks,)
        if self.setting is Setting.UNSUPERVISED:
            return (self.task.num_classes,)
        if self.image_task is not None:
            return tuple(domain.task for domain in self.domains if domain.task)
        return tuple(domain.labels.task for domain in self.domains if domain.labels)

    @property
    def built_on(self) -> tuple[str, ...]:
        """The name of every domain's backbone."""
        return self.backbones or (self.backbone,) * len(self.domains)

    @property
    def source(self) -> Domain:
        """The first domain."""
        return self.domains[0]

    @property
    def target(self) -> Domain:
        """The last domain, the one that counts in every two-domain setting."""
        return self.domains[-1]

    @property
    def exam(self) -> Exam | None:
        """The target's, where that is the only domain that counts."""
        return self.exams[0] if len(self.exams) == 1 else None

    @property
    def measured(self) -> tuple[tuple[Domain, Exam | None], ...]:
        """The domains that count, each with its exam: all of a joint problem, else the target."""
        if self.setting is not Setting.JOINT:
            return ((self.target, self.exam),)
        _check_names(self.name, self.domains)
        if self.exams:
            _check_exams(self.name, self.domains, self.exams)
        return tuple(zip(self.domains, self.exams or (None,) * len(self.domains)))


def check_lengths(name: str, samples: Samples, labels: Labels | PixelLabels | None) -> None:
    """Refuse an empty domain, and labels that do not match the samples in number.

    Raises:
        DataError: with both numbers.
    """
    if len(samples) == 0:
        raise DataError(f"Domain `{name}`: expected at least one sample, but got none.")
    if labels is not None and len(labels) != len(samples):
        raise DataError(f"Domain `{name}`: expected one label a sample, but got {len(labels)} for {len(samples)}.")


def _check_exams(name: str, domains: Sequence[Domain], exams: Sequence[Exam]) -> None:
    """Refuse exams that are not the domains', one each."""
    if len(exams) != len(domains):
        raise DataError(
            f"Problem `{name}`: expected one exam for the target, or one for each of {len(domains)} domains, in order, "
            f"but got {len(exams)}."
        )
    for domain, measured in zip(domains, exams):
        if domain.task is not None:
            continue
        if domain.labels is None or domain.labels.task != measured.labels.task:
            raise DataError(
                f"Problem `{name}`: expected the exam of `{domain.name}` to have the domain's own classes, but "
                f"`{measured.name}` has {', '.join(measured.labels.task.classes)}."
            )


def _check_names(name: str, domains: Sequence[Domain]) -> None:
    """Refuse names that results and folders of several domains could not be told apart by."""
    names = [domain.name for domain in domains]
    if len({slug(name) for name in (AVERAGE, *names)}) <= len(names):
        raise DataError(
            f"Problem `{name}`: expected domains of different names, in letters or digits, and none called "
            f"`{AVERAGE}`, but got {', '.join(names)}."
        )


def _check_image_tasks(name: str, domains: Sequence[Domain], input: Input) -> None:
    """Refuse images to be completed or generated beside anything else, or that networks cannot give.

    Raises:
        SettingError: domains without such a task, with another or with labels besides, or fewer than two.
        DataError: inputs that are no images with values from -1 to 1, or a hole that does not fit.
    """
    kinds = {type(domain.task) for domain in domains}
    if len(kinds) > 1 or len(domains) < 2 or any(domain.labels or domain.pixels for domain in domains):
        found = ", ".join(
            f"{domain.name}: {type(domain.task).__name__ if domain.task else 'none'}"
            + (" and labels" if domain.labels or domain.pixels else "")
            for domain in domains
        )
        raise SettingError(
            f"Problem `{name}`: expected two or more domains, all with one kind of task of images without labels, but "
            f"got ({found}). Give each `task=Completion(...)`, or each `task=Generation()`, and no labels."
        )
    if not isinstance(input, ImageInput) or {*input.mean, *input.std} != {0.5}:
        raise DataError(
            f"Problem `{name}`: expected images with values from -1 to 1, as networks give them, but got {input}. "
            f"Use `ImageInput.plain(channels, size)`."
        )
    for domain in domains:
        if isinstance(domain.task, Completion) and domain.task.hole > input.size:
            raise DataError(
                f"Domain `{domain.name}`: expected a hole of at most {input.size} pixels, the side of the images, "
                f"but got {domain.task.hole}."
            )


def _kind(truth: Labels | PixelLabels | None) -> str:
    """What an exam has instead of what is asked for."""
    if truth is None:
        return "none"
    return "classes. Read its `labels`" if isinstance(truth, Labels) else "labels of pixels. Read its `pixels`"


def _check_backbones(problem: Problem) -> None:
    """Refuse several backbones unless they are those of a joint problem's domains, one each.

    Raises:
        SettingError: the problem is of another setting.
        OptionError: another number.
    """
    names, domains = problem.backbones, [domain.name for domain in problem.domains]
    if problem.setting is not Setting.JOINT:
        raise SettingError(
            f"Expected one backbone for problem `{problem.name}` of the {problem.setting} setting, but got "
            f"{listed(names)}. Give one by `backbone`; one for each domain is for joint problems."
        )
    if len(names) != len(domains):
        raise OptionError(
            f"Expected a backbone for each of {len(domains)} domains, in the order {listed(domains)}, but got "
            f"{listed(names)}."
        )


def _check_anchored(name: str, domains: Sequence[Domain]) -> None:
    """Refuse domains of pixel-wise tasks that are no source with main tasks and target with anchor tasks.

    Raises:
        SettingError: with the tasks of each.
    """
    tasks = [domain.pixels.tasks if domain.pixels else () for domain in domains]
    if len(tasks) != 2 or not tasks[1] or not set(tasks[1]) < set(tasks[0]):
        known = "; ".join(
            f"{domain.name}: {', '.join(task.name for task in own) or 'none'}" for domain, own in zip(domains, tasks)
        )
        raise SettingError(
            f"Problem `{name}`: expected a source with labels of main and anchor tasks, and a target with those of the "
            f"anchor tasks, but the domains have labels of ({known}). Give the target labels of a task of the source's."
        )


def _check_main(problem: Problem) -> None:
    """Refuse an exam, or labels for the oracle, without one of the main tasks.

    Raises:
        DataError: with the tasks that there are.
    """
    known = {f"the exam `{exam.name}`": exam.pixels.tasks for exam in problem.exams}
    if problem.oracle is not None:
        known["the oracle"] = problem.oracle.tasks
    for owner, tasks in known.items():
        if not set(problem.tasks.main) <= set(tasks):
            main, found = ([task.name for task in some] for some in (problem.tasks.main, tasks))
            raise DataError(
                f"Problem `{problem.name}`: expected {owner} to have labels of all main tasks, {listed(main)}, but it "
                f"has those of {listed(found)}."
            )


def check_still(name: str, input: Input) -> None:
    """Refuse augmentation that moves pixels away from their labels, and sides that have no half.

    Raises:
        DataError: with what moves them, or the side.
    """
    if not isinstance(input, ImageInput) or input.flip or input.size != input.resize:
        raise DataError(
            f"Problem `{name}`: expected images that are neither cropped nor mirrored, as labels of pixels stay where "
            f"they are, but got {input}. Use `ImageInput(..., size=N, resize=N, flip=False)`."
        )
    if input.size % 2:
        raise DataError(
            f"Problem `{name}`: expected images of an even side, as maps have half of it, but got {input.size} pixels."
        )
