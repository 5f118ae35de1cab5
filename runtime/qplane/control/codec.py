"""Plans and requests as JSON and back: frozen data classes of plain values.

Fields are encoded under their names, so that a field with a default may be added without a new
version of the store. A link is a reference (its ends), resolved in the network at hand.
"""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Callable, Mapping
from enum import Enum
from functools import lru_cache
from typing import Any, TypeAlias, TypeVar

from qplane.net import Link, Network

T = TypeVar("T")

_Decoder: TypeAlias = Callable[[Any, Network], Any]


class DecodeError(ValueError):
    """The data is not what it should be; the text says where."""


def encode(value: object) -> str:
    """JSON of a data class, named tuple, enumeration, tuple, number, string or None."""
    return json.dumps(_plain(value), separators=(",", ":"))


def decode(type_: type[T], text: str, network: Network) -> T:
    """The value that :func:`encode` gave. Raises DecodeError."""
    try:
        data = json.loads(text)
    except ValueError as error:
        raise DecodeError(f"not JSON: {error}") from error
    hint: Any = type_
    with_place = _at(type_.__name__, _decoder(hint))
    value: T = with_place(data, network)
    return value


# ---- encoding ----

_PLAIN = frozenset({type(None), bool, int, float, str})


def _plain(value: object) -> object:
    type_: Any = type(value)
    if type_ in _PLAIN:
        return value
    if isinstance(value, Link):
        return _ends(value)
    if isinstance(value, Enum):
        return value.value
    names = _names(type_)
    if names:
        return {name: _plain(getattr(value, name)) for name in names}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return [[_plain(key), _plain(item)] for key, item in value.items()]
    raise TypeError(f"no way to store {value!r}")


def _ends(link: Link) -> list[list[str | int]]:
    return [[end.node, end.port, end.number] for end in (link.a, link.b)]


@lru_cache(maxsize=1000)
def _names(type_: Any) -> tuple[str, ...]:
    """Fields of a data class or named tuple; of other types, none."""
    if dataclasses.is_dataclass(type_):
        return tuple(field.name for field in dataclasses.fields(type_))
    return tuple(getattr(type_, "_fields", ()))


# ---- decoding: one function for each type, made once ----


@lru_cache(maxsize=1000)
def _decoder(hint: Any) -> _Decoder:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return _decoder(arguments[0])
    if origin in (typing.Union, types.UnionType):
        return _optional(hint, arguments)
    if hint is Link:
        return _link
    if origin is tuple:
        return _tuple(arguments)
    if origin is not None and issubclass(origin, Mapping):
        return _mapping(*arguments)
    if _names(hint):
        return _record(hint)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _enumeration(hint)
    if hint is float:
        return lambda data, network: float(_expected((int, float), data))
    return lambda data, network: _expected(hint, data)


def _at(place: str, decoder: _Decoder) -> _Decoder:
    """The same, errors with the place ahead."""

    def decoded(data: Any, network: Network) -> Any:
        try:
            return decoder(data, network)
        except DecodeError as error:
            text = str(error)
            raise DecodeError(f"{place}{'' if text[0] in '.[' else ': '}{text}") from error

    return decoded


def _expected(type_: Any, data: Any) -> Any:
    if not isinstance(data, type_) or (isinstance(data, bool) and type_ is not bool):
        raise DecodeError(f"{data!r} is no {getattr(type_, '__name__', 'number')}")
    return data


def _optional(hint: Any, arguments: tuple[Any, ...]) -> _Decoder:
    choices = [choice for choice in arguments if choice is not type(None)]
    if len(choices) != 1 or len(arguments) != 2:
        raise TypeError(f"only a type or None can be stored, not {hint}")
    decoder = _decoder(choices[0])
    return lambda data, network: None if data is None else decoder(data, network)


def _tuple(hints: tuple[Any, ...]) -> _Decoder:
    if len(hints) == 2 and hints[1] is Ellipsis:
        item = _decoder(hints[0])

        def many(data: Any, network: Network) -> tuple[Any, ...]:
            listed = _expected(list, data)
            return tuple(
                _at(f"[{place}]", item)(value, network) for place, value in enumerate(listed)
            )

        return many
    items = [_at(f"[{place}]", _decoder(hint)) for place, hint in enumerate(hints)]

    def some(data: Any, network: Network) -> tuple[Any, ...]:
        if len(_expected(list, data)) != len(items):
            raise DecodeError(f"{len(data)} items, {len(items)} wanted")
        return tuple(item(value, network) for item, value in zip(items, data, strict=True))

    return some


def _mapping(key_hint: Any, item_hint: Any) -> _Decoder:
    pair = _tuple((key_hint, item_hint))
    return lambda data, network: dict(pair(entry, network) for entry in _expected(list, data))


def _record(type_: Any) -> _Decoder:
    @lru_cache(maxsize=1)
    def decoders() -> dict[str, _Decoder]:  # made when first used: a record may contain its like
        hints = typing.get_type_hints(type_, include_extras=True)
        return {name: _at(f".{name}", _decoder(hints[name])) for name in _names(type_)}

    def decoded(data: Any, network: Network) -> Any:
        fields = decoders()
        unknown = _expected(dict, data).keys() - fields.keys()
        if unknown:
            raise DecodeError(f"no field {', '.join(sorted(unknown))}")
        known = {name: fields[name](value, network) for name, value in data.items()}
        try:
            return type_(**known)
        except (TypeError, ValueError) as error:
            raise DecodeError(str(error)) from error

    return decoded


def _enumeration(type_: type[Enum]) -> _Decoder:
    def decoded(data: Any, network: Network) -> Enum:
        try:
            return type_(data)
        except ValueError as error:
            raise DecodeError(str(error)) from error

    return decoded


def _link(data: Any, network: Network) -> Link:
    ends = [tuple(end) for end in _expected(list, data)]
    for link in network.links_of(ends[0][0]) if ends else ():
        if [tuple(link.a), tuple(link.b)] == ends:
            return link
    shown = " - ".join(f"{end[0]} port {end[1]}" for end in ends)
    raise DecodeError(f"the network has no link {shown}")
