"""Each public function of the Python API x argument x wrong kind gives one error that names
function and argument, before the function has begun."""

import inspect
import types
import typing
from collections import abc
from enum import Enum

import pytest

from qplane.arguments import described, fits
from qplane.control import Controller
from qplane.link.end import LinkEnd
from qplane.link.layer import LinkLayer
from qplane.net import load, loads
from qplane.switch import Switch

WRONG = [None, True, 5, -1.5, float("nan"), "text", b"bytes", [], [object()], {}, {1: 2}, object()]

DOORS = [
    *(
        member
        for owner in (Controller, LinkEnd, LinkLayer, Switch)
        for _, member in inspect.getmembers(owner, inspect.isfunction)
        if hasattr(member, "__wrapped__")
    ),
    load,
    loads,
]


def right(hint):
    """Some value that fits."""
    origin, parts = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return right(parts[0])
    if origin is tuple:
        return tuple(right(part) for part in parts)
    if isinstance(origin, type) and issubclass(origin, abc.Iterable):
        return {} if issubclass(origin, abc.Mapping) else []
    if origin is abc.Callable:
        return print
    known = {str: "x", int: 1, float: 1.0, bool: True, bytes: b""}
    if hint in known:
        return known[hint]
    if issubclass(hint, tuple):
        return hint(*(right(part) for part in typing.get_type_hints(hint).values()))
    return next(iter(hint)) if issubclass(hint, Enum) else hint.__new__(hint)


def parameters(door):
    """Name and annotated type of each argument but self."""
    hints = typing.get_type_hints(door.__wrapped__)
    return {name: hints[name] for name in inspect.signature(door).parameters if name != "self"}


def test_the_doors_are_there():
    assert len(DOORS) > 35
    assert sum(len(parameters(door)) for door in DOORS) > 90


@pytest.mark.parametrize("door", DOORS, ids=lambda door: door.__qualname__)
def test_an_argument_of_a_wrong_kind_is_named(door):
    hints = parameters(door)
    refused = 0
    for argument, hint in hints.items():
        given = {name: right(other) for name, other in hints.items() if name != argument}
        for wrong in WRONG:
            if fits(wrong, hint):
                continue
            refused += 1
            with pytest.raises(TypeError) as caught:
                if "self" in inspect.signature(door).parameters:
                    door(None, **given, **{argument: wrong})  # without a self nothing could be done
                else:
                    door(**given, **{argument: wrong})
            said = str(caught.value)
            assert said.startswith(f"{door.__qualname__}: {argument} = "), said
            assert said.endswith(f"should be {described(hint)}"), said
            assert "\n" not in said
    assert refused or not hints
