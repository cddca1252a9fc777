"""From a function's signature and docstring to flags, and back to a call.

Parameters without `*` become positional arguments, keyword-only ones become flags (`data_root` is `--data-root`). A
parameter whose type is a dataclass stands for all its fields, each a flag of its own; `Changes[Recipe]` likewise, but
holds only the fields that were given.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, Generic, TypeVar, get_args, get_origin, get_type_hints

from docstring_parser import parse as parse_docstring
from jsonargparse import ArgumentParser, Namespace

T = TypeVar("T")


@dataclass(frozen=True)
class Changes(Generic[T]):
    """Fields of a dataclass that were given on the command line."""

    values: dict[str, Any] = field(default_factory=dict)

    def over(self, base: T) -> T:
        """`base` with the given fields replaced."""
        return replace(base, **self.values)  # type: ignore[type-var]


@dataclass(frozen=True)
class _Parameter:
    name: str
    type: Any
    default: Any
    help: str
    positional: bool


def command_parser(command: Callable[..., None]) -> ArgumentParser:
    """A parser for one command."""
    documentation = parse_docstring(command.__doc__ or "")
    parser = ArgumentParser(description=documentation.short_description, allow_abbrev=False)
    parser.add_argument("--config", action="config", help="A YAML file with any of these flags.")
    for parameter in _parameters(command):
        group = _dataclass_of(parameter.type)
        if group is None:
            _add(parser, parameter)
            continue
        optional = get_origin(parameter.type) is Changes
        section = parser.add_argument_group(_title(group))
        for member in _parameters(group):
            _add(section, replace(member, default=None) if optional else member)
    return parser


def call(command: Callable[..., None], options: Namespace) -> None:
    """Call `command` with parsed options."""
    arguments = {}
    for parameter in _parameters(command):
        group = _dataclass_of(parameter.type)
        if group is None:
            arguments[parameter.name] = options[parameter.name]
            continue
        values = {member.name: options[member.name] for member in fields(group)}
        if get_origin(parameter.type) is Changes:
            arguments[parameter.name] = Changes({k: v for k, v in values.items() if v is not None})
        else:
            arguments[parameter.name] = group(**values)
    command(**arguments)


def _parameters(source: Callable[..., Any]) -> Iterator[_Parameter]:
    """Parameters of a function, or fields of a dataclass, with their documentation."""
    documentation = parse_docstring(source.__doc__ or "")
    texts = {entry.arg_name: entry.description or "" for entry in documentation.params}
    hints = get_type_hints(source)
    for name, parameter in inspect.signature(source).parameters.items():
        positional = parameter.kind is parameter.POSITIONAL_OR_KEYWORD and not is_dataclass(source)
        yield _Parameter(name, hints[name], parameter.default, " ".join(texts.get(name, "").split()), positional)


def _dataclass_of(annotation: Any) -> Any:
    if get_origin(annotation) is Changes:
        return get_args(annotation)[0]
    return annotation if is_dataclass(annotation) else None


def _add(parser: Any, parameter: _Parameter) -> None:
    text = parameter.help.replace("`", "")
    options: dict[str, Any] = {"help": text[:1].upper() + text[1:]}
    required = parameter.default is inspect.Parameter.empty
    several = get_origin(parameter.type) is list
    if parameter.type is bool and parameter.default is False:
        options["action"] = "store_true"
    else:
        options["type"] = get_args(parameter.type)[0] if several else parameter.type
        options["nargs"] = "+" if several else None if required or not parameter.positional else "?"
    if not required:
        options["default"] = parameter.default
    if parameter.positional:
        parser.add_argument(parameter.name, **options)
    else:
        parser.add_argument("--" + parameter.name.replace("_", "-"), required=required, **options)


def _title(group: type) -> str:
    return (group.__doc__ or group.__name__).splitlines()[0].rstrip(".")
