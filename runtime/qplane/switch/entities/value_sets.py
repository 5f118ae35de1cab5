"""Parser value sets: always there, always written as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from math import prod
from typing import TYPE_CHECKING

from finsy.proto import p4r

from qplane_cext.switch.core import SwitchCore

from ..errors import Code, StatusError
from ..p4info import MatchField, MatchKind, P4InfoIndex, ValueSet
from .base import Journal, Kind, MayRead, only_modify
from .matches import Key, decode_key, encode_key

if TYPE_CHECKING:
    from qplane_cext.switch.core import KeyPart


MAX_ALTERNATIVES = 1 << 16  # masked keys that the ranges of one value set may come to


def _masked(field: MatchField, part: KeyPart) -> list[tuple[bytes, bytes]]:
    """A key part as values and masks, which is how a parser compares."""
    if isinstance(part, bytes):
        return [(part, field.full)]
    value, second = part
    assert isinstance(value, bytes)
    if isinstance(second, int):
        spare = field.bitwidth - second
        mask = (int.from_bytes(field.full, "big") >> spare) << spare
        return [(value, mask.to_bytes(len(field.full), "big"))]
    if field.kind is MatchKind.RANGE:
        return _prefixes(field, value, second)
    return [(value, second)]


def _prefixes(field: MatchField, low: bytes, high: bytes) -> list[tuple[bytes, bytes]]:
    """The fewest prefixes that make up a range."""
    size, full = len(low), (1 << field.bitwidth) - 1
    at, end = int.from_bytes(low, "big"), int.from_bytes(high, "big")
    found = []
    while at <= end:
        block = at & -at or full + 1
        while block > end - at + 1:
            block >>= 1
        found.append((at.to_bytes(size, "big"), (full & ~(block - 1)).to_bytes(size, "big")))
        at += block
    return found


class ValueSetStore:
    """``ValueSetEntry``."""

    def __init__(self, index: P4InfoIndex, core: SwitchCore) -> None:
        self._index = index
        self._core = core
        self._members: dict[int, list[Key]] = {}

    def p4_id(self, message: p4r.ValueSetEntry) -> int:
        """The value set's id."""
        return message.value_set_id

    def write(self, kind: Kind, message: p4r.ValueSetEntry, journal: Journal) -> None:
        """Replace all members.

        RESOURCE_EXHAUSTED: more than its size; ALREADY_EXISTS: a member twice.
        """
        value_set = self._index.value_set(message.value_set_id)
        what = f"value set {value_set.name!r}"
        only_modify(kind, what)
        if len(message.members) > value_set.size:
            raise StatusError(
                Code.RESOURCE_EXHAUSTED,
                f"{what}: {len(message.members)} members, its size is {value_set.size}",
            )
        keys = [
            decode_key(value_set.fields, value_set.fields_by_id, member.match, what)
            for member in message.members
        ]
        if len(set(keys)) != len(keys):
            raise StatusError(Code.ALREADY_EXISTS, f"{what}: a member is given twice")
        before = self._members.get(value_set.id, [])
        self._set(value_set, keys)
        journal.append(lambda: self._set(value_set, before))

    def _set(self, value_set: ValueSet, keys: Sequence[Key]) -> None:
        alternatives: dict[tuple[tuple[bytes, bytes], ...], None] = {}
        for key in keys:
            parts = [
                _masked(field, part) for field, part in zip(value_set.fields, key, strict=True)
            ]
            if len(alternatives) + prod(map(len, parts)) > MAX_ALTERNATIVES:
                raise StatusError(
                    Code.RESOURCE_EXHAUSTED,
                    f"value set {value_set.name!r}: its ranges come to more than "
                    f"{MAX_ALTERNATIVES} masked values",
                )
            alternatives.update(dict.fromkeys(product(*parts)))
        self._core.value_set_write(value_set.name, [list(one) for one in alternatives])
        self._members[value_set.id] = list(keys)

    def read(self, query: p4r.ValueSetEntry, may_read: MayRead) -> Iterator[p4r.Entity]:
        """One value set or all."""
        if query.value_set_id:
            wanted = [self._index.value_set(query.value_set_id)]
        else:
            wanted = [item for item in self._index.value_sets.values() if may_read(item.id)]
        for value_set in wanted:
            entity = p4r.Entity()
            entity.value_set_entry.value_set_id = value_set.id
            for key in self._members.get(value_set.id, []):
                member = entity.value_set_entry.members.add()
                member.match.extend(encode_key(value_set.fields, key))
            yield entity
