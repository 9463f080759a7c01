"""The values that settings may have, as types, and the check of values against them.

A type such as ``Count`` stands in a signature, where readers and the command line see it, and
:func:`checked` holds the arguments to it. The schema of the config says the same of the same
settings.
"""

import inspect
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import wraps
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from fkd.errors import FkdError


@dataclass(frozen=True, repr=False)
class Range:
    """The numbers that a setting may have.

    Attributes
    ----------
    at_least, at_most : float, optional
        Bounds that are allowed themselves.
    above, below : float, optional
        Bounds that are not.
    """

    at_least: float | None = None
    above: float | None = None
    at_most: float | None = None
    below: float | None = None

    def __contains__(self, number: float) -> bool:
        return (
            (self.at_least is None or number >= self.at_least)
            and (self.above is None or number > self.above)
            and (self.at_most is None or number <= self.at_most)
            and (self.below is None or number < self.below)
        )

    def __repr__(self) -> str:
        bounds = {
            "at least": self.at_least,
            "above": self.above,
            "at most": self.at_most,
            "below": self.below,
        }
        parts = [f"{word} {bound}" for word, bound in bounds.items() if bound is not None]
        return " and ".join(parts)


Count = Annotated[int, Range(at_least=1)]
"""A number of things, of which there is one at least."""

CountFromZero = Annotated[int, Range(at_least=0)]
"""A number of things, of which there may be none."""

CountFromTwo = Annotated[int, Range(at_least=2)]
"""A number of things, of which there are two at least."""

Positive = Annotated[float, Range(above=0)]
"""A number above 0."""

NotNegative = Annotated[float, Range(at_least=0)]
"""A number that may be 0, such as a weight."""

Share = Annotated[float, Range(at_least=0, at_most=1)]
"""A share, from none to all."""

ShareBelowAll = Annotated[float, Range(at_least=0, below=1)]
"""A share that is not all."""

Gray = Annotated[int, Range(at_least=0, at_most=254)]
"""A gray level darker than white paper."""

Device = Literal["auto", "cpu", "cuda"]
"""Where a network computes."""

Result = TypeVar("Result")


def checked(function: Callable[..., Result]) -> Callable[..., Result]:
    """Hold the arguments of a function to the types in its signature.

    Parameters
    ----------
    function : callable
        The function. Its type hints may be numbers, ``Annotated`` with a :class:`Range`,
        ``Literal``, and sequences, mappings and unions of these. Others are not checked.

    Returns
    -------
    callable
        The function, which raises :class:`FkdError` for an argument that does not fit.
    """

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Result:
        hints = get_type_hints(function, include_extras=True)
        bound = inspect.signature(function).bind(*args, **kwargs)
        _refuse(bound.arguments, hints)
        return function(*args, **kwargs)

    return call


def check_fields(settings: Any) -> None:
    """Hold the fields of a dataclass to their types; call it in ``__post_init__``.

    Raises
    ------
    FkdError
        If a value does not fit. The message names the field, and what was expected.
    """
    hints = get_type_hints(type(settings), include_extras=True)
    _refuse({field.name: getattr(settings, field.name) for field in fields(settings)}, hints)


def _refuse(values: Mapping[str, Any], hints: Mapping[str, Any]) -> None:
    """Raise an error that lists the values that do not fit their types."""
    given = {name: value for name, value in values.items() if name in hints}
    wrong = [fault for name, value in given.items() for fault in _faults(name, value, hints[name])]
    if wrong:
        raise FkdError("; ".join(wrong))


def _faults(name: str, value: Any, hint: Any) -> Iterator[str]:
    """Say where a value, or a part of it, does not fit a type."""
    kind, options = get_origin(hint), get_args(hint)
    if kind in (Union, UnionType):
        if value is None and NoneType in options:
            return
        options = [option for option in options if option is not NoneType]
        found = [list(_faults(name, value, option)) for option in options]
        if [] in found:  # one option has no fault with it
            return
        if len(options) > 1 and all(map(_expected, options)):
            expected = ", or ".join(map(_expected, options))
            yield f"{name}: expected {expected}, found {value!r}"
        else:
            yield from found[0]
    elif kind is Literal:
        if value not in options:
            yield f"{name}: expected {_expected(hint)}, found {value!r}"
    elif kind is Annotated:
        base, *limits = options
        limits = [limit for limit in limits if isinstance(limit, Range)]
        fits = not list(_faults(name, value, base)) and all(value in limit for limit in limits)
        if not fits:
            yield f"{name}: expected {_expected(hint)}, found {value!r}"
    elif hint in _NUMBERS:
        if not _is_number(value, hint):
            yield f"{name}: expected {_NUMBERS[hint]}, found {value!r}"
    elif isinstance(kind, type) and issubclass(kind, Mapping) and isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _faults(f"{name}.{key}", inner, options[1])
    elif isinstance(kind, type) and issubclass(kind, Sequence) and isinstance(value, list | tuple):
        yield from _faults_of_items(name, value, kind, options)


def _expected(hint: Any) -> str:
    """Describe a type of numbers or words; empty for other types."""
    if get_origin(hint) is Literal:
        words = get_args(hint)
        return "one of " * (len(words) > 1) + ", ".join(map(str, words))
    if get_origin(hint) is Annotated:
        base, *limits = get_args(hint)
        return ", ".join([_NUMBERS[base], *(repr(e) for e in limits if isinstance(e, Range))])
    return _NUMBERS.get(hint, "")


def _faults_of_items(name: str, value: Sequence[Any], kind: type, options: tuple) -> Iterator[str]:
    """Say where the items of a sequence do not fit."""
    if kind is tuple and Ellipsis not in options:
        if len(value) != len(options):
            yield f"{name}: expected {len(options)} values, found {list(value)}"
            return
    else:
        options = (options[0],) * len(value)
    for place, (item, option) in enumerate(zip(value, options, strict=True)):
        yield from _faults(f"{name}.{place}", item, option)


_NUMBERS = {int: "an integer", float: "a number", bool: "true or false"}


def _is_number(value: Any, kind: type) -> bool:
    if kind is bool or isinstance(value, bool):
        return kind is bool and isinstance(value, bool)
    if kind is int:
        return isinstance(value, Integral)
    return isinstance(value, Real) and math.isfinite(value)
