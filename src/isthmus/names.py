"""Names that carry options (`symnets`, `dann:hidden=512`), names as paths, and words that several layers share."""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar, get_args, get_origin

from isthmus.errors import OptionError

T = TypeVar("T")

Accelerator = Literal["auto", "cpu", "cuda", "mps"]
"""Where a trained network runs."""
OnBadImage = Literal["fail", "skip"]
"""What is done about an image that cannot be read: refuse all, or leave it out and name it."""
Predicted = Literal["classes", "pixels", "images"]
"""What is predicted: a class of each sample, something of each pixel, or the image itself."""
BatchNormPolicy = Literal["separate", "joint", "frozen"]
"""How batch statistics are taken in training.

- `separate`: one forward pass a domain, each normalised by its own batch; running statistics follow both.
- `joint`: one forward pass of both domains together, normalised by their common batch.
- `frozen`: the running statistics the network came with, never updated (fine-tuning with small batches).
"""
AVERAGE = "average"
"""What the mean of the domains' scores is called, beside the domains."""
MADE = "made"
"""What the array of a network's images is called, beside those of what was given, by title."""


@dataclass(frozen=True)
class Name:
    """A registered name and the options after its colon, as written.

    >>> Name.parse("dann:hidden=512,layers=3")
    Name(base='dann', options={'hidden': '512', 'layers': '3'})
    >>> str(Name.parse("symnets"))
    'symnets'
    """

    base: str
    options: dict[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Name:
        """Read `base:key=value,key=value`.

        Raises:
            OptionError: an option is not of the form `key=value`, or stands there twice.
        """
        base, colon, tail = text.partition(":")
        options: dict[str, str] = {}
        for part in tail.split(",") if colon else ():
            key, equals, value = (piece.strip() for piece in part.partition("="))
            if not equals or not key:
                raise OptionError(f"Expected options as `{base}:key=value,key=value`, but got `{text}`.")
            if key in options:
                raise OptionError(f"Expected each option once, but got `{key}` twice in `{text}`.")
            options[key] = value
        return cls(base, options)

    def __str__(self) -> str:
        options = ",".join(f"{key}={value}" for key, value in self.options.items())
        return f"{self.base}:{options}" if options else self.base


def joined_names(text: str) -> list[str]:
    """The names that `+` joins, each with its options.

    >>> joined_names("mcd:generator_steps=2+dfa:alpha=1e+2")
    ['mcd:generator_steps=2', 'dfa:alpha=1e+2']
    """
    return re.split(r"\+(?![0-9])", text)


def listed(names: Iterable[str], most: int = 10) -> str:
    """Names for a message, the first ones of many.

    >>> listed(["cat", "dog"]), listed([]), listed("abc", most=2)
    ('`cat`, `dog`', 'none', '`a`, `b` and 1 more')
    """
    every = list(names)
    shown = ", ".join(f"`{name}`" for name in every[:most]) or "none"
    return f"{shown} and {len(every) - most} more" if len(every) > most else shown


def unknown(kind: str, name: str, known: Iterable[str], listing: str) -> OptionError:
    """The error for a name that is not registered, with the nearest ones that are.

    >>> print(unknown("method", "symnet", ["dann", "symnets"], "`isthmus methods` lists them."))
    Unknown method `symnet`; did you mean `symnets`? `isthmus methods` lists them.
    """
    near = difflib.get_close_matches(name, list(known), n=3, cutoff=0.5)
    hint = f"; did you mean {' or '.join(f'`{n}`' for n in near)}?" if near else "."
    return OptionError(f"Unknown {kind} `{name}`{hint} {listing}")


def slug(name: str) -> str:
    """A name as part of a path.

    >>> slug("dann:hidden=512")
    'dann_hidden_512'
    """
    return "".join(c if c.isalnum() or c in "-_.+" else "_" for c in name)


def build(factory: Callable[..., T], name: Name, *positional: Any) -> T:
    """Call `factory(*positional, **options)`, the options read by the types of its keyword-only parameters.

    Raises:
        OptionError: an option that the factory does not have, or a value that its type refuses.
    """
    return factory(*positional, **read_options(factory, name))


def read_options(factory: Callable[..., Any], name: Name) -> dict[str, Any]:
    """The options of a name, read by the types of a factory's keyword-only parameters; nothing is made.

    Raises:
        OptionError: as for `build`.
    """
    if not name.options:
        return {}
    from jsonargparse import ArgumentError, ArgumentParser

    parameters = inspect.signature(factory).parameters
    known = [parameter.name for parameter in parameters.values() if parameter.kind is parameter.KEYWORD_ONLY]
    for key in name.options:
        if key not in known:
            offered = ", ".join(f"`{option}`" for option in known) or "none"
            raise OptionError(f"`{name.base}` has no option `{key}`; its options are: {offered}.")
    parser = ArgumentParser(exit_on_error=False)
    add = parser.add_class_arguments if isinstance(factory, type) else parser.add_function_arguments
    skipped: set[str | int] = {key for key in parameters if key not in known}
    add(factory, skip=skipped)

    def read(key: str, text: str) -> Any:
        try:
            return parser.parse_args([f"--{key}={text}"])[key]
        except ArgumentError as error:
            raise OptionError(
                f"Expected `{key}` of `{name.base}` as {_wanted(factory, key)}, but got `{text}`."
            ) from error

    return {key: read(key, text) for key, text in name.options.items()}


def _wanted(factory: Callable[..., Any], key: str) -> str:
    """What values an option takes: its choices, or its type as it is written."""
    annotation = inspect.signature(factory).parameters[key].annotation
    try:
        hint = inspect.signature(factory, eval_str=True).parameters[key].annotation
    except NameError:  # a type that is imported for the checker only
        hint = None
    choices = [str(c) for part in (hint, *get_args(hint)) if get_origin(part) is Literal for c in get_args(part)]
    if choices:
        return f"one of {listed(choices)}"
    return f"`{inspect.formatannotation(annotation)}`".replace("'", "")
