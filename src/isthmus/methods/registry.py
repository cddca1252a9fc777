"""Methods by name. Built-in ones are listed by import path, so that listing them imports nothing heavy."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from isthmus.errors import OptionError
from isthmus.names import Name, build, unknown

if TYPE_CHECKING:
    from isthmus.methods.base import Method
    from isthmus.nn.backbones.base import Backbone

MethodClass = TypeVar("MethodClass", bound="type[Method[Any]]")


@dataclass(frozen=True)
class MethodEntry:
    """A registered method.

    Attributes:
        name: what commands and tables call it.
        setting: the setting it is for.
        summary: one line for the list.
        source: where it was published.
        load: returns its class.
    """

    name: str
    setting: str
    summary: str
    source: str
    load: Callable[[], type[Method[Any]]]


_ENTRIES: dict[str, MethodEntry] = {}


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


def method_entry(name: str | Name) -> MethodEntry:
    """The entry of a method, options aside.

    Raises:
        OptionError: unknown, with the nearest names.
    """
    base = (Name.parse(name) if isinstance(name, str) else name).base
    if base not in _ENTRIES:
        raise unknown("method", base, _ENTRIES, "`isthmus methods` lists them.")
    return _ENTRIES[base]


def build_method(name: str, backbone: Backbone, num_classes: int) -> Method[Any]:
    """A fresh method on `backbone`, with the options that `name` carries (`dann:hidden=512`).

    Raises:
        OptionError: an unknown name or option, or a value out of range.
    """
    parsed = Name.parse(name)
    return build(method_entry(parsed).load(), parsed, backbone, num_classes)


def _add(entry: MethodEntry) -> None:
    if entry.name in _ENTRIES:
        raise OptionError(f"A method called `{entry.name}` is registered already. Choose another name.")
    _ENTRIES[entry.name] = entry


def _built_in(setting: str, name: str, path: str, summary: str, source: str) -> None:
    module, _, attribute = path.partition(":")

    def load() -> type[Method[Any]]:
        method: type[Method[Any]] = getattr(importlib.import_module(f"isthmus.methods.{setting}.{module}"), attribute)
        return method

    _add(MethodEntry(name, setting, summary, source, load))


_built_in(
    "unsupervised",
    "source_only",
    "source_only:SourceOnly",
    "no adaptation: the classifier of the source, applied to the target",
    "the baseline of every table",
)
_built_in(
    "unsupervised",
    "dann",
    "dann:DANN",
    "domain-adversarial training by gradient reversal",
    "Ganin et al., JMLR 2016",
)
_built_in(
    "unsupervised",
    "symnets",
    "symnets:SymNets",
    "two symmetric classifiers that tell and confuse the domains, by category",
    "Zhang et al., CVPR 2019",
)
