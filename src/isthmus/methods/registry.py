"""Methods by name. Built-in ones are listed by import path, so that listing them imports nothing heavy."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from isthmus.errors import OptionError
from isthmus.names import Name, build, joined_names, read_options, unknown

if TYPE_CHECKING:
    from isthmus.data.pixelwise import AnchoredTasks
    from isthmus.data.tasks import DomainTask
    from isthmus.methods.base import Method
    from isthmus.nn.backbones.base import Backbone
    from isthmus.nn.image_networks import ImageNetwork
    from isthmus.nn.pyramids import Pyramid

MethodClass = TypeVar("MethodClass", bound="type[Method[Any]]")


@dataclass(frozen=True)
class MethodEntry:
    """A registered method, or a term that methods take on.

    Attributes:
        name: what commands and tables call it.
        setting: the setting it is for.
        summary: one line for the list.
        source: where it was published.
        load: returns its class, or a function with the same parameters.
    """

    name: str
    setting: str
    summary: str
    source: str
    load: Callable[[], Callable[..., Any]]


_DEFAULTS = {
    "unsupervised": ("source_only", "dann", "symnets"),
    "inductive": ("finetune_target", "joint_finetune", "jtln"),
    "joint": ("isolated", "share_all", "joint_irls"),
    "assisted": ("baseline", "mtl_both", "headfreeze"),
}
_ENTRIES: dict[str, MethodEntry] = {}
_TERMS: dict[str, MethodEntry] = {}


def register(name: str, *, summary: str, source: str = "") -> Callable[[MethodClass], MethodClass]:
    """Class decorator that makes a method of your own available by name.

    Raises:
        OptionError: the name is taken.
    """

    def decorate(method: MethodClass) -> MethodClass:
        _add(MethodEntry(name, str(method.setting), summary, source, lambda: method))
        return method

    return decorate


def method_entries() -> tuple[MethodEntry, ...]:
    """All registered methods, in order of registration."""
    return tuple(_ENTRIES.values())


def method_entry(name: str) -> MethodEntry:
    """The entry of a method, options and terms aside.

    Raises:
        OptionError: unknown, with the nearest names.
    """
    base = Name.parse(joined_names(name)[0]).base
    if base not in _ENTRIES:
        raise unknown("method", base, _ENTRIES, "`isthmus methods` lists them.")
    return _ENTRIES[base]


def default_methods(setting: str) -> tuple[str, ...]:
    """What is compared in a setting where nobody says: its baseline, and methods that suit most problems."""
    return _DEFAULTS[str(setting)]


def term_entries() -> tuple[MethodEntry, ...]:
    """All terms that methods take on; their names begin with the `+` that joins them."""
    return tuple(_TERMS.values())


def term_entry(name: str) -> MethodEntry:
    """The entry of a term, such as `+dfa`.

    Raises:
        OptionError: unknown, with the nearest names.
    """
    if name not in _TERMS:
        raise unknown("term", name, _TERMS, f"Terms are: {', '.join(_TERMS)}.")
    return _TERMS[name]


def build_method(
    name: str,
    backbone: Backbone | Pyramid | ImageNetwork | Sequence[Backbone | ImageNetwork],
    *outputs: int | DomainTask | AnchoredTasks,
) -> Method[Any]:
    """A fresh method on `backbone`, with the options (`dann:hidden=512`) and terms (`dann+entropy`) in its name.

    Args:
        name: of a registered method, its options and terms.
        backbone: what the method trains; of a joint problem, it may be one for each domain.
        outputs: what it is to predict: `Problem.outputs`.

    Raises:
        OptionError: an unknown name, option or term, or a value out of range.
    """
    (load, parsed), *terms = _parts(name)
    method: Method[Any] = build(load, parsed, backbone, *outputs)
    if not terms:
        return method
    from isthmus.methods.anchored import AnchoredMethod
    from isthmus.methods.combined import Combined
    from isthmus.methods.single_backbone import SingleBackbone

    taken = (build(load, term, method) for load, term in terms)
    if isinstance(method, AnchoredMethod):
        for adversary in taken:
            method.take_on(adversary)
        return method
    if not isinstance(method, SingleBackbone):
        raise OptionError(
            f"Expected a method with one backbone, a `SingleBackbone`, to take on terms, but `{parsed.base}` is none. "
            "Leave the terms out."
        )
    return Combined(method, *taken)


def check_options(name: str) -> None:
    """Refuse a method that `build_method` could not build on anything; needs no data, and builds nothing.

    Raises:
        OptionError: an unknown name, option or term, or a value that its type refuses.
    """
    for load, part in _parts(name):
        read_options(load, part)


def method_files(name: str) -> tuple[str, ...]:
    """The tables (`jtln:cost=costs.csv`) that a method reads and that what it does depends on."""
    values = [value for _, part in _parts(name) for value in part.options.values()]
    return tuple(value for value in values if value.endswith(".csv"))


def _parts(name: str) -> list[tuple[Callable[..., Any], Name]]:
    """What makes the method of a name and each of its terms, with their options."""
    parsed, *terms = (Name.parse(part) for part in joined_names(name))
    method, entries = method_entry(name), [term_entry(f"+{term.base}") for term in terms]
    for entry in entries:
        if entry.setting != method.setting:
            raise OptionError(
                f"Term `{entry.name}` is for methods of the {entry.setting} setting, but `{parsed.base}` is of the "
                f"{method.setting} setting."
            )
    return [(entry.load(), part) for entry, part in zip((method, *entries), (parsed, *terms))]


def _add(entry: MethodEntry) -> None:
    if entry.name in _ENTRIES:
        raise OptionError(f"A method called `{entry.name}` is registered already. Choose another name.")
    _ENTRIES[entry.name] = entry


def _imported(path: str) -> Callable[[], Any]:
    module, _, attribute = path.partition(":")
    return lambda: getattr(importlib.import_module(f"isthmus.methods.{module}"), attribute)


def _built_in(setting: str, name: str, path: str, summary: str, source: str) -> None:
    _add(MethodEntry(name, setting, summary, source, _imported(path)))


_ZHANG = "Zhang et al., CVPR 2019"
for _name, _path, _summary, _source in (
    ("source_only", "source_only:SourceOnly", "no adaptation: what every method must beat", "the tables' baseline"),
    ("dann", "dann:DANN", "domain-adversarial training by gradient reversal", "Ganin et al., JMLR 2016"),
    (
        "symnets",
        "symnets:SymNets",
        "two symmetric classifiers that tell and confuse the domains, by category",
        _ZHANG,
    ),
    ("domain_confusion", "domain_confusion:DomainConfusion", "features that a discriminator takes for both", _ZHANG),
    ("mcd", "mcd:MCD", "two classifiers find where they disagree, features avoid it", "Saito et al., CVPR 2018"),
    ("hafn", "hafn:HAFN", "feature norms of both domains drawn to one value", "Xu et al., ICCV 2019"),
    ("safn", "safn:SAFN", "feature norms of both domains enlarged step by step", "Xu et al., ICCV 2019"),
    ("dan", "dan:DAN", "kernel means of the features matched", "Long et al., ICML 2015"),
    ("jan", "jan:JAN", "kernel means of features and predictions matched jointly", "Long et al., ICML 2017"),
    ("adda", "adda:ADDA", "a target network learns to look like the source's", "Tzeng et al., CVPR 2017"),
    ("cdan", "cdan:CDAN", "adversarial training on features times predictions", "Long et al., NeurIPS 2018"),
    ("deep_coral", "deep_coral:DeepCORAL", "covariances matched", "Sun and Saenko, ECCV workshops 2016"),
    ("adabn", "adabn:AdaBN", "batch normalisation by the target's statistics", "Li et al., ICLR workshops 2017"),
    ("mcc", "mcc:MCC", "less confusion between the target's predicted classes", "Jin et al., ECCV 2020"),
    ("bnm", "bnm:BNM", "a larger nuclear norm of the target's predictions", "Cui et al., CVPR 2020"),
):
    _built_in("unsupervised", _name, f"unsupervised.{_path}", _summary, _source)
for _name, _summary in (
    ("dfa_ent", "entropy minimisation with DFA: source_only+entropy+dfa"),
    ("dfa_mcd", "MCD with DFA: mcd+dfa"),
    ("dfa_safn", "SAFN with DFA: safn+dfa:alpha=0.1"),
):
    _built_in("unsupervised", _name, f"combinations:{_name}", _summary, "Wang et al., 2020")

_LU = "Lu et al., 2017"
for _name, _path, _summary in (
    ("finetune_target", "finetune_target:FinetuneTarget", "the target's labels alone: what every method must beat"),
    ("consecutive", "consecutive:Consecutive", "the source first, then the target"),
    ("joint_finetune", "joint_finetune:JointFinetune", "both domains at once, a classifier for each"),
    ("jtln", "jtln:JTLN", "joint fine-tuning, the two classifiers tied by optimal transport"),
):
    _built_in("inductive", _name, f"inductive.{_path}", _summary, _LU)

_JOINT = "Zhang et al., 2019"
for _name, _path, _summary, _source in (
    ("isolated", "joint_baselines:isolated", "each domain alone: what every method must beat", _JOINT),
    ("l2_reg", "joint_baselines:l2_reg", "all layers of all domains drawn together alike", _JOINT),
    ("l2_reg_25", "joint_baselines:l2_reg_25", "the first 25 % of the layers shared", _JOINT),
    ("l2_reg_50", "joint_baselines:l2_reg_50", "the first 50 % of the layers shared", _JOINT),
    ("share_all", "joint_baselines:share_all", "one network for all, a classifier for each", _JOINT),
    ("pretrain_finetune", "joint.pretrain_finetune:PretrainFinetune", "one network for all, then each alone", _JOINT),
    ("joint_irls", "joint.joint_irls:JointIRLS", "which layers to share between whom, found by a robust norm", _JOINT),
):
    _built_in("joint", _name, _path, _summary, _source)

_LI = "Li et al., task-assisted domain adaptation"
for _name, _path, _summary in (
    ("baseline", "baseline:Baseline", "the main tasks on the source alone: what every method must beat"),
    ("mtl_source_anchor", "mtl_source_anchor:SourceAnchor", "main and anchor tasks on the source"),
    ("mtl_target_anchor", "mtl_target_anchor:TargetAnchor", "main tasks on the source, anchor tasks on the target"),
    ("mtl_both", "mtl_both:BothAnchors", "main tasks on the source, anchor tasks on both domains"),
    (
        "headfreeze",
        "headfreeze:HeadFreeze",
        "a head from the source, kept while the layers below learn the target's anchors",
    ),
    ("oracle", "oracle:Oracle", "the target's main labels too: a bound, and no method"),
):
    _built_in("assisted", _name, f"assisted.{_path}", _summary, _LI)

for _name, _path, _summary, _source in (
    ("+entropy", "terms.entropy:Entropy", "target predictions become certain", "Grandvalet and Bengio, NeurIPS 2004"),
    ("+dfa", "terms.dfa:DFA", "a Gaussian prior and a tied decoder align the domains", "Wang et al., 2020"),
):
    _TERMS[_name] = MethodEntry(_name, "unsupervised", _summary, _source, _imported(_path))
for _name, _path, _summary, _source in (
    (
        "+feature_adversary",
        "terms.feature_adversary:FeatureAdversary",
        "discriminators of feature maps, reversed gradients",
        "Ganin et al., JMLR 2016",
    ),
    (
        "+output_adversary",
        "terms.output_adversary:OutputAdversary",
        "a discriminator of outputs",
        "Tsai et al., CVPR 2018",
    ),
):
    _TERMS[_name] = MethodEntry(_name, "assisted", _summary, _source, _imported(_path))
