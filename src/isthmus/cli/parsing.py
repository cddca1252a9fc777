"""From a function's signature and docstring to flags, and back to a call.

Parameters without `*` become positional arguments, keyword-only ones become flags (`data_root` is `--data-root`). A
parameter whose type is a dataclass stands for all its fields, each a flag of its own; `Changes[Recipe]` likewise, but
holds only the fields that were given.
"""

from __future__ import annotations

import argparse
import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from types import NoneType
from typing import Any, Generic, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from docstring_parser import parse as parse_docstring
from jsonargparse import ArgumentParser, DefaultHelpFormatter, Namespace

from isthmus.errors import OptionError
from isthmus.names import unknown

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

    @property
    def flag(self) -> str:
        return self.name if self.positional else "--" + self.name.replace("_", "-")


class HelpFormatter(DefaultHelpFormatter):
    """Help in plain words: defaults where there are some, no Python types."""

    def _get_type_str(self, action: argparse.Action) -> None:
        return None

    def _get_help_string(self, action: argparse.Action) -> str:
        if action.required or action.default in (None, False, argparse.SUPPRESS):
            return action.help or ""
        return super()._get_help_string(action)


def command_parser(command: Callable[..., None]) -> ArgumentParser:
    """A parser for one command."""
    documentation = parse_docstring(command.__doc__ or "")
    parser = ArgumentParser(
        description=documentation.short_description,
        formatter_class=HelpFormatter,
        exit_on_error=False,
        allow_abbrev=False,
    )
    parser.add_argument("--config", action="config", help="A YAML file with any of these flags.")
    for parameter in _parameters(command):
        group = _dataclass_of(parameter.type)
        if group is None:
            _add(parser, parameter)
            continue
        optional = get_origin(parameter.type) is Changes
        section = parser.add_argument_group(_title(group))
        for member in _parameters(group):
            _add(section, _optional(member) if optional else member)
    return parser


def call(command: Callable[..., None], options: Namespace) -> None:
    """Call `command` with parsed options.

    Raises:
        OptionError: a path in the home of a user who is not known.
    """
    arguments = {}
    for parameter in _parameters(command):
        group = _dataclass_of(parameter.type)
        if group is None:
            arguments[parameter.name] = _expanded(options.get(parameter.name, parameter.default))
            continue
        values = {member.name: _expanded(options[member.name]) for member in fields(group) if member.name in options}
        if get_origin(parameter.type) is Changes:
            arguments[parameter.name] = Changes({k: None if v == "None" else v for k, v in values.items()})
        else:
            arguments[parameter.name] = group(**values)
    command(**arguments)


def _expanded(value: Any) -> Any:
    """Paths, alone or in a list, with `~` as the home folder: the shell leaves it in `--out=~/x` and in files."""
    if isinstance(value, (list, tuple)):
        return type(value)(_expanded(element) for element in value)
    if not isinstance(value, Path):
        return value
    try:
        return value.expanduser()
    except RuntimeError as error:
        raise OptionError(
            f"Expected the name of a user after `~`, but got `{value}`. Write `./{value}` for a file of that name."
        ) from error


def explain(error: Exception, name: str, command: Callable[..., None]) -> OptionError:
    """What is wrong with a command's arguments, in words instead of the parser's types.

    Args:
        error: what the parser raised.
        name: of the command.
        command: its function.
    """
    text, listing = str(error), f"`isthmus {name} --help` lists them."
    parameters = {parameter.name: parameter for parameter in _all_parameters(command)}
    flags = [parameter.flag for parameter in parameters.values()]
    if found := re.search(r'Parser key "(\w+)":.*(?:Got|Given) value: (.*)', text, re.DOTALL):
        parameter = parameters[found[1]]
        return OptionError(f"Expected `{parameter.flag}` to be {_in_words(parameter.type)}, but got `{found[2]}`.")
    if found := re.match(r"unrecognized arguments: (\S+)", text):
        return unknown("argument", found[1].partition("=")[0], flags, listing)
    if found := re.search(r"does not accept option '(\w+)'", text):
        return unknown("key in the configuration file", found[1], parameters, listing)
    if "item assignment" in text:  # the parser's words for a text in the place of a list
        text = "Expected lists in the configuration file where a flag takes several values, such as `[dann, symnets]`"
    text = (
        " ".join(text.replace(f"{name}.", "").split()).removeprefix("argument ").removeprefix('Parser key "config": ')
    )
    return OptionError(f"{text[:1].upper()}{text[1:].rstrip('.')}. `isthmus {name} --help` explains the arguments.")


def _in_words(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        return "one of " + ", ".join(f"`{choice}`" for choice in get_args(annotation))
    words = {int: "a whole number", float: "a number", bool: "true or false"}
    kinds = [kind for kind in get_args(annotation) or (annotation,) if kind is not type(None)]
    return words.get(kinds[0], "text")


def _all_parameters(command: Callable[..., Any]) -> Iterator[_Parameter]:
    for parameter in _parameters(command):
        group = _dataclass_of(parameter.type)
        yield from _parameters(group) if group else (parameter,)


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
    text = parameter.help if parameter.help.startswith("`") else parameter.help[:1].upper() + parameter.help[1:]
    options: dict[str, Any] = {"help": text.replace("`", "")}
    required = parameter.default is inspect.Parameter.empty
    several = get_origin(parameter.type) in (list, tuple)
    if parameter.type is bool and parameter.default is False:
        options["action"] = "store_true"
    else:
        options["type"] = get_args(parameter.type)[0] if several else parameter.type
        options["nargs"] = "+" if several else None if required or not parameter.positional else "?"
    if not required:
        # An optional positional argument's default would win over the configuration file: `call` fills it in.
        options["default"] = argparse.SUPPRESS if parameter.positional else parameter.default
    if parameter.positional:
        parser.add_argument(parameter.flag, **options)
    else:
        parser.add_argument(parameter.flag, required=required, **options)


def _optional(member: _Parameter) -> _Parameter:
    """A field that may be left as it is; where it can be None, `None` says so as YAML's `null` does."""
    type = Union[member.type, Literal["None"]] if NoneType in get_args(member.type) else member.type
    return replace(member, default=argparse.SUPPRESS, type=type)


def _title(group: type) -> str:
    return (group.__doc__ or group.__name__).splitlines()[0].rstrip(".")
