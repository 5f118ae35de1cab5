"""Holds arguments against a function's signature: names, and types by annotation.

For the doors through which values come from people: one error that names the argument, what it was
and what would be right, before anything is done. Values inside containers are looked at, too; but
not those of an iterator, which can be taken only once.
"""

from __future__ import annotations

import functools
import inspect
import math
import numbers
import os
import types
import typing
from collections import abc
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, Literal, NamedTuple, ParamSpec, TypeVar, Union, get_args, get_origin

P = ParamSpec("P")
R = TypeVar("R")

_SHOWN = 60
"""Characters of a value in a message."""


class Flaw(NamedTuple):
    """What is wrong with the argument `name` (None: with their number or names)."""

    name: str | None
    value: object
    problem: str


class Signature:
    """The arguments that a function takes."""

    def __init__(self, function: Callable[..., object]) -> None:
        self._signature = inspect.signature(function)
        hints = typing.get_type_hints(function)
        self._hints = {name: hints.get(name, Any) for name in self._signature.parameters}

    def flaw(self, arguments: Mapping[str, object]) -> Flaw | None:
        """The first thing wrong with arguments given by name."""
        for name, parameter in self._signature.parameters.items():
            if name not in arguments and parameter.default is parameter.empty:
                return Flaw(None, None, f"{name} is missing: {described(self._hints[name])}")
        for name, value in arguments.items():
            if name not in self._hints:
                known = ", ".join(self._hints) or "none"
                return Flaw(name, value, f"no such argument; there are: {known}")
            if not fits(value, self._hints[name]):
                return Flaw(name, value, f"should be {described(self._hints[name])}")
        return None

    def hint(self, name: str) -> Any:
        """The annotated type of an argument."""
        return self._hints[name]

    def bind(self, *args: object, **kwargs: object) -> dict[str, object]:
        """All that were given, by name. Raises TypeError."""
        return self._signature.bind(*args, **kwargs).arguments


def checked(function: Callable[P, R]) -> Callable[P, R]:
    """`function`, which raises TypeError for an argument of a type that it does not take."""

    @functools.cache
    def signature() -> Signature:
        return Signature(function)

    @functools.wraps(function)
    def checking(*args: P.args, **kwargs: P.kwargs) -> R:
        given = signature().bind(*args, **kwargs)
        given.pop("self", None)
        for name, value in given.items():
            hint = signature().hint(name)
            if not fits(value, hint):
                shown = repr(value)
                shown = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."
                raise TypeError(
                    f"{function.__qualname__}: {name} = {shown}: should be {described(hint)}"
                )
        return function(*args, **kwargs)

    return checking


def fits(value: object, hint: Any) -> bool:
    """Whether a value is of an annotated type. An integer serves as a float, NumPy's numbers as
    Python's; neither true nor NaN is a number, nor is text a list."""
    origin, parts = get_origin(hint), get_args(hint)
    if hint is Any or hint is object:
        return True
    if origin in (Union, types.UnionType):
        return any(fits(value, part) for part in parts)
    if origin is Literal:
        return value in parts
    if hint is None or hint is types.NoneType:
        return value is None
    if hint is int:
        return isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if hint is float:
        is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
        return is_number and math.isfinite(typing.cast(float, value))
    if hint is bytes:
        return isinstance(value, (bytes, bytearray, memoryview))
    if origin is abc.Callable:
        return callable(value)
    if origin is tuple:
        return _fits_tuple(value, parts)
    if isinstance(origin, type) and issubclass(origin, abc.Iterable):
        return _fits_container(value, origin, parts)
    try:
        return isinstance(value, origin or hint)
    except TypeError:  # a protocol that can't be asked for, or no type at all
        return True


def _fits_tuple(value: object, parts: tuple[Any, ...]) -> bool:
    if not isinstance(value, tuple):
        return False
    if len(parts) == 2 and parts[1] is Ellipsis:
        return all(fits(item, parts[0]) for item in value)
    return len(value) == len(parts) and all(map(fits, value, parts))


def _fits_container(value: object, origin: type, parts: tuple[Any, ...]) -> bool:
    if not isinstance(value, origin) or isinstance(value, (str, bytes, bytearray)):
        return False
    if isinstance(value, abc.Mapping):
        kinds = parts if len(parts) == 2 else (*parts, Any)
        return all(fits(key, kinds[0]) and fits(item, kinds[1]) for key, item in value.items())
    if isinstance(value, abc.Collection) and parts:
        return all(fits(item, parts[0]) for item in value)
    return True


_WORDS = {
    Any: "a value",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "text",
    bytes: "bytes",
    types.NoneType: "null",
}


def described(hint: Any) -> str:
    """ "a number, text or null" of ``float | str | None``."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        words = list(dict.fromkeys(described(part) for part in parts))
        return " or ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
    if origin is Literal:
        return f"one of {', '.join(map(repr, parts))}"
    if origin is abc.Callable:
        return "a function"
    if origin is tuple:
        return f"a tuple ({', '.join(described(part) for part in parts if part is not Ellipsis)})"
    if isinstance(origin, type) and issubclass(origin, abc.Mapping):
        return f"a mapping of {described(parts[0])} to {described(parts[1])}"
    if isinstance(origin, type) and issubclass(origin, abc.Iterable):
        return f"a list, each {described(parts[0])}" if parts else "a list"
    if hint in _WORDS:
        return _WORDS[hint]
    if isinstance(hint, type) and issubclass(hint, os.PathLike):
        return "a path"
    if isinstance(hint, type) and issubclass(hint, Enum):
        return f"one of {', '.join(str(item) for item in hint)}"
    return f"a {getattr(hint, '__name__', hint)}"
