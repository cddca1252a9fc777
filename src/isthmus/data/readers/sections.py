"""A YAML file read key by key: every mistake is an error that names the file, the key, what was expected and got."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

from isthmus.errors import DataError, OptionError
from isthmus.names import listed

T = TypeVar("T")
REQUIRED: Any = object()
"""In the place of a default: there is none."""
SHOWN = 60
"""Characters of a value that a message shows."""


@dataclass(frozen=True)
class Section:
    """One mapping of the file.

    Attributes:
        file: the path of the file; paths in it are relative to its folder.
        place: keys that lead to the mapping, parted by dots; empty for the whole file.
        values: what stands there.
        defaults: another mapping, for keys that this one lacks.
    """

    file: Path
    place: str
    values: Mapping[str, Any]
    defaults: Section | None = None

    def __contains__(self, key: str) -> bool:
        return self.values.get(key) is not None or (self.defaults is not None and key in self.defaults)

    def mistake(self, key: str, expected: str, got: str, advice: str = "") -> DataError:
        """The error for what stands at `key`."""
        message = f"`{self.file}`: expected `{self.at(key)}` to be {expected}, but got {got}. {advice}"
        return DataError(message.rstrip())

    def at(self, key: str) -> str:
        """The key with what leads to it: `target.labels`."""
        return f"{self.place}.{key}" if self.place else key

    def check_keys(self, *known: str) -> None:
        """Refuse keys that nobody reads."""
        for key in self.values:
            if key not in known:
                near = get_close_matches(str(key), known, n=1)
                hint = f"did you mean `{near[0]}`?" if near else f"there are {listed(known)}."
                raise DataError(f"`{self.file}`: expected no key `{self.at(str(key))}`; {hint}")

    def read(self, key: str, expected: str, fits: Callable[[Any], bool], default: Any = REQUIRED) -> Any:
        """The value at `key`, of which `fits` must be true."""
        value = self.values.get(key)
        if value is None:
            if self.defaults is not None and key in self.defaults:
                return self.defaults.read(key, expected, fits)
            if default is REQUIRED:
                raise self.mistake(key, expected, "nothing", "Add it.")
            return default
        if not fits(value):
            raise self.mistake(key, expected, shown(value))
        return value

    def text(self, key: str, default: Any = REQUIRED) -> str:
        """Text that is not empty."""
        return str(self.read(key, "text", lambda value: isinstance(value, str) and bool(value), default))

    def flag(self, key: str, default: Any = REQUIRED) -> bool:
        """True or false."""
        return bool(self.read(key, "true or false", lambda value: isinstance(value, bool), default))

    def whole(self, key: str, least: int, default: Any = REQUIRED) -> int:
        """A whole number of at least `least`."""
        expected = f"a whole number of at least {least}"
        return int(self.read(key, expected, lambda value: is_whole(value) and value >= least, default))

    def number(self, key: str, default: Any = REQUIRED, *, zero: bool = False) -> float:
        """A positive number, or zero where that is allowed."""

        def fits(value: Any) -> bool:
            return is_number(value) and (value >= 0 if zero else value > 0)

        return float(self.read(key, "a number of at least 0" if zero else "a positive number", fits, default))

    def choice(self, key: str, choices: Sequence[str], default: Any = REQUIRED) -> str:
        """One of some words."""
        return str(self.read(key, f"one of {listed(choices)}", lambda value: value in choices, default))

    def names(self, key: str, default: Any = REQUIRED) -> tuple[str, ...]:
        """A list of different names, at least one."""
        expected = "a list of different names (in quotes where YAML reads them as something else)"

        def fits(value: Any) -> bool:
            texts = isinstance(value, list) and all(isinstance(item, str) for item in value)
            return texts and 0 < len(value) == len(set(value))

        return tuple(self.read(key, expected, fits, default))

    def section(self, key: str, default: Any = REQUIRED) -> Section:
        """The mapping at `key`."""
        values = self.read(key, "a mapping of keys to values", lambda value: isinstance(value, dict), default)
        return Section(self.file, self.at(key), values)

    def path(self, key: str) -> Path:
        """A path, relative to the file's folder; nothing need be there."""
        return self.file.parent / Path(self.text(key)).expanduser()

    @contextmanager
    def blamed(self, key: str = "") -> Iterator[None]:
        """Errors about data say that the file led to them, by `key` where one is to blame."""
        try:
            yield
        except (DataError, OptionError) as error:
            place = f", `{self.at(key)}`" if key else ""
            raise DataError(f"`{self.file}`{place}: {error}") from error

    def dataclass(self, key: str, kind: type[T], base: T) -> T:
        """`base` with the fields that the mapping at `key` gives, each of its annotated type."""
        from jsonargparse import ArgumentError, ArgumentParser

        section = self.section(key, {})
        section.check_keys(*(field.name for field in fields(kind)))  # type: ignore[arg-type]
        parser = ArgumentParser(exit_on_error=False)
        parser.add_class_arguments(kind)
        values = {field.name: getattr(base, field.name) for field in fields(kind)}  # type: ignore[arg-type]

        def read(name: str, value: Any) -> Any:
            try:
                return parser.parse_object({name: value})[name]
            except ArgumentError:
                raise section.mistake(name, f"of type `{kind.__annotations__[name]}`", shown(value)) from None

        for name, value in section.values.items():
            values[name] = read(name, value)
        with self.blamed(key):
            return kind(**values)


def read_sections(file: Path) -> Section:
    """The whole file.

    Raises:
        DataError: no such file, no YAML, a key twice, or no mapping.
    """
    import yaml

    class Loader(yaml.SafeLoader):
        """Refuses a key that stands twice, of which YAML would keep the last, and values that are not of their tag."""

        def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
            try:
                return super().construct_object(node, deep)
            except (ValueError, LookupError, AttributeError) as error:  # what it fails with depends on the tag
                kind = node.tag.rpartition(":")[2]
                reason, advice = f"`{node.value}` cannot be read as `{kind}`", "Put text in quotes"
                raise yaml.constructor.ConstructorError(None, None, reason, node.start_mark, advice) from error

        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
            for key in keys:
                if keys.count(key) > 1:
                    raise yaml.constructor.ConstructorError(None, None, f"`{key}` stands there twice", node.start_mark)
            return super().construct_mapping(node, deep)

    try:
        text = file.read_text(encoding="utf-8")
        content = yaml.load(text, Loader)
    except OSError as error:
        raise DataError(f"Expected a problem file at `{file}`, but got: {error.strerror}. Check the path.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise DataError(f"Expected YAML in `{file}`, but got: {reason}.") from error
    if not isinstance(content, dict):
        raise DataError(f"Expected keys and values in `{file}`, such as `source:`, but got {shown(content)}.")
    return Section(file, "", content)


def is_whole(value: Any) -> bool:
    """Whether a value of the file is a whole number."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    """Whether a value of the file is a finite number."""
    return is_whole(value) or (isinstance(value, float) and math.isfinite(value))


def shown(value: Any) -> str:
    """A value of the file for a message, cut where it is long."""
    if value is None:
        return "nothing"
    text = repr(value)
    return f"`{text if len(text) <= SHOWN else text[: SHOWN - 1] + '…'}`"
