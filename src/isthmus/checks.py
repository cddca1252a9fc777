"""Checks of options, with messages that say what was expected and what was got."""

from __future__ import annotations

import math
from collections.abc import Sequence
from numbers import Integral, Real

from isthmus.errors import OptionError


def at_least(least: float, **options: float) -> None:
    """Refuse options below `least`, and what is not finite.

    >>> at_least(1, epochs=0)
    Traceback (most recent call last):
    isthmus.errors.OptionError: Expected `epochs` of at least 1, but got 0.
    """
    for name, value in options.items():
        if not (_is_finite(value) and value >= least):
            raise OptionError(f"Expected `{name}` of at least {least}, but got {value!r}.")


def whole(least: int, **options: int) -> None:
    """Refuse options that are no whole numbers, or below `least`.

    >>> whole(1, epochs=1.5)
    Traceback (most recent call last):
    isthmus.errors.OptionError: Expected `epochs` to be a whole number, but got 1.5.
    """
    for name, value in options.items():
        if not isinstance(value, Integral) or isinstance(value, bool):
            raise OptionError(f"Expected `{name}` to be a whole number, but got {value!r}.")
    at_least(least, **options)


def random_seed(**options: int) -> None:
    """Refuse seeds that random generators do not take: they have 64 bits.

    >>> random_seed(seed=2**64)
    Traceback (most recent call last):
    isthmus.errors.OptionError: Expected `seed` of at most 18446744073709551615, but got 18446744073709551616.
    """
    whole(-(2**63), **options)
    for name, value in options.items():
        if value >= 2**64:
            raise OptionError(f"Expected `{name}` of at most {2**64 - 1}, but got {value}.")


def positive(**options: float) -> None:
    """Refuse options that are not above zero, and what is not finite.

    >>> positive(lr=0.1, gamma=-1.0)
    Traceback (most recent call last):
    isthmus.errors.OptionError: Expected a positive `gamma`, but got -1.0.
    """
    for name, value in options.items():
        if not (_is_finite(value) and value > 0):
            raise OptionError(f"Expected a positive `{name}`, but got {value!r}.")


def below(limit: float, **options: float) -> None:
    """Refuse options of `limit` and above.

    >>> below(1, momentum=1.0)
    Traceback (most recent call last):
    isthmus.errors.OptionError: Expected `momentum` below 1, but got 1.0.
    """
    for name, value in options.items():
        if value >= limit:
            raise OptionError(f"Expected `{name}` below {limit}, but got {value}.")


def share(**options: float) -> None:
    """Refuse options that are no share of a run after which something is left of it.

    >>> share(start=1.0)
    Traceback (most recent call last):
    isthmus.errors.OptionError: Expected `start` of at least 0 and below 1, but got 1.0.
    """
    for name, value in options.items():
        if not 0 <= value < 1:
            raise OptionError(f"Expected `{name}` of at least 0 and below 1, but got {value}.")


def leaves_an_epoch(epochs: int, *, of: str, instead: str, **begins: float) -> None:
    """Refuse a share of a run with which what is to begin after it never would: things begin with an epoch.

    >>> leaves_an_epoch(1, of="jtln", instead="jtln:start=0", start=0.3)
    Traceback (most recent call last):
    isthmus.errors.OptionError: Expected `start` of `jtln` to leave an epoch of 1, but got 0.3. Use `--epochs 2` or \
more, or `jtln:start=0`; or choose other `--methods`.
    """
    for name, value in begins.items():
        if value * epochs > epochs - 1:
            enough = math.ceil(round(1 / (1 - value), 6))
            raise OptionError(
                f"Expected `{name}` of `{of}` to leave an epoch of {epochs}, but got {value}. Use `--epochs {enough}` "
                f"or more, or `{instead}`; or choose other `--methods`."
            )


def one_of(choices: Sequence[str], **options: str) -> None:
    """Refuse options that are none of `choices`.

    >>> one_of(("sgd", "adam"), optimizer="lion")
    Traceback (most recent call last):
    isthmus.errors.OptionError: Expected `optimizer` to be one of ('sgd', 'adam'), but got 'lion'.
    """
    for name, value in options.items():
        if value not in choices:
            raise OptionError(f"Expected `{name}` to be one of {tuple(choices)}, but got {value!r}.")


def _is_finite(value: object) -> bool:
    return isinstance(value, Real) and math.isfinite(value)
