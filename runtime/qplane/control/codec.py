"""Plans and requests as JSON and back: frozen data classes of plain values.

Fields are encoded under their names, so that a field with a default may be added without a new
version of the store. A link is a reference (its ends), resolved in the network at hand.
"""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Mapping
from enum import Enum
from typing import Any, TypeVar

from qplane.net import Link, Network

T = TypeVar("T")


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
    value: T = _value(type_, data, network, type_.__name__)
    return value


def _plain(value: object) -> object:
    if isinstance(value, Link):
        return [[end.node, end.port, end.number] for end in (value.a, value.b)]
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if dataclasses.is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {name: _plain(item) for name, item in value._asdict().items()}
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return [[_plain(key), _plain(item)] for key, item in value.items()]
    raise TypeError(f"no way to store {value!r}")


def _value(hint: Any, data: Any, network: Network, where: str) -> Any:
    origin = typing.get_origin(hint)
    if origin is typing.Annotated:
        return _value(typing.get_args(hint)[0], data, network, where)
    if origin in (typing.Union, types.UnionType):
        return _union(hint, data, network, where)
    if hint is Link:
        return _link(data, network, where)
    if origin is tuple:
        return _tuple(typing.get_args(hint), data, network, where)
    if origin is not None and issubclass(origin, Mapping):
        key, item = typing.get_args(hint)
        pairs = _expected(list, data, where)
        return {
            _value(key, k, network, where): _value(item, i, network, f"{where}[{k}]")
            for k, i in pairs
        }
    if dataclasses.is_dataclass(hint) or hasattr(hint, "_fields"):
        return _record(hint, data, network, where)
    if isinstance(hint, type) and issubclass(hint, Enum):
        try:
            return hint(data)
        except ValueError as error:
            raise DecodeError(f"{where}: {error}") from error
    if hint is float:
        return float(_expected((int, float), data, where))
    return _expected(hint, data, where)


def _expected(type_: Any, data: Any, where: str) -> Any:
    if not isinstance(data, type_) or (isinstance(data, bool) and type_ is not bool):
        raise DecodeError(f"{where}: {data!r} is no {getattr(type_, '__name__', type_)}")
    return data


def _union(hint: Any, data: Any, network: Network, where: str) -> Any:
    choices = [choice for choice in typing.get_args(hint) if choice is not type(None)]
    if data is None and len(choices) < len(typing.get_args(hint)):
        return None
    if len(choices) != 1:
        raise TypeError(f"{where}: only a type or None can be stored, not {hint}")
    return _value(choices[0], data, network, where)


def _tuple(hints: tuple[Any, ...], data: Any, network: Network, where: str) -> tuple[Any, ...]:
    items = _expected(list, data, where)
    if len(hints) == 2 and hints[1] is Ellipsis:
        hints = (hints[0],) * len(items)
    if len(items) != len(hints):
        raise DecodeError(f"{where}: {len(items)} items, {len(hints)} wanted")
    return tuple(
        _value(hint, item, network, f"{where}[{place}]")
        for place, (hint, item) in enumerate(zip(hints, items, strict=True))
    )


def _record(type_: Any, data: Any, network: Network, where: str) -> Any:
    fields = _expected(dict, data, where)
    hints = typing.get_type_hints(type_, include_extras=True)
    if dataclasses.is_dataclass(type_):
        names = [f.name for f in dataclasses.fields(type_)]
    else:
        names = list(type_._fields)
    unknown = fields.keys() - set(names)
    if unknown:
        raise DecodeError(f"{where}: no field {', '.join(sorted(unknown))}")
    known = {
        name: _value(hints[name], fields[name], network, f"{where}.{name}")
        for name in names
        if name in fields
    }
    try:
        return type_(**known)
    except (TypeError, ValueError) as error:
        raise DecodeError(f"{where}: {error}") from error


def _link(data: Any, network: Network, where: str) -> Link:
    ends = tuple(tuple(end) for end in _expected(list, data, where))
    for link in network.links_of(ends[0][0]) if ends else ():
        if (tuple(link.a), tuple(link.b)) == ends:
            return link
    shown = " - ".join(f"{end[0]} port {end[1]}" for end in ends)
    raise DecodeError(f"{where}: the network has no link {shown}")
