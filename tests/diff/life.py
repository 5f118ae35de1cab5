"""What is known of our own programs: values that meet, entries that fit together, traffic."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import NamedTuple, Protocol

from finsy.proto import p4r

from . import herald, qnode
from .programs import Program


class Traffic(Protocol):
    """Packets that mean something to a program."""

    def packet(self) -> tuple[int, bytes]: ...
    def heard(self, outputs: Sequence[tuple[int, bytes]]) -> None: ...


class Life(NamedTuple):
    """Of one program: `known` values by field and parameter, good entries, traffic."""

    known: Mapping[str, Sequence[int]]
    entries: Callable[[Program, Random], list[p4r.Update]]
    traffic: Callable[[Random], Traffic]


LIVES: Mapping[str, Life] = {
    "qnode": Life(qnode.KNOWN, qnode.circuits, qnode.Traffic),
    "herald": Life(herald.KNOWN, herald.links, herald.Traffic),
}
