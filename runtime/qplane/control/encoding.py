"""Entries as P4Runtime messages, fast: many thousands at once, most of whose fields are alike.

finsy encodes each field and each action parameter; what came out is kept by value, serialized, so
that a table entry costs a few look-ups and is put together from bytes. What is not a plain table
entry that finsy would accept is left to finsy, errors included.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import finsy as fy
from finsy.proto import p4r

from qplane.control.entries import Entry, Group, TableEntry, Value

_FIELDS = 1 << 16
"""Encoded fields that are kept for each program."""

_NO_PROGRAM = fy.P4Schema()


def request_of(device_id: int, updates: Iterable[bytes]) -> p4r.WriteRequest:
    """A request of serialized updates (:func:`update_of`)."""
    head: bytes = p4r.WriteRequest(device_id=device_id).SerializeToString()
    body = b"".join([_within(_UPDATES, update) for update in updates])
    request: p4r.WriteRequest = p4r.WriteRequest.FromString(head + body)
    return request


def update_of(operation: p4r.Update.Type.ValueType, entity: bytes) -> bytes:
    """A serialized update of a serialized entity."""
    return _operation(operation) + _within(_ENTITY, entity)


def entity_of(entry: Entry, schema: fy.P4Schema) -> bytes:
    """What `entry.to_finsy().encode(schema)` gives, serialized.

    Raises ValueError: no such table, field, ..."""
    if isinstance(entry, Group):
        return _group(entry)
    fast = _encoder(schema).table_entry(entry) if isinstance(entry, TableEntry) else None
    if fast is not None:
        return fast
    data: bytes = entry.to_finsy().encode(schema).SerializeToString()
    return data


@lru_cache(maxsize=_FIELDS)
def _group(group: Group) -> bytes:
    """The same ones stand in many switches. No program has a say in them."""
    data: bytes = group.to_finsy().encode(_NO_PROGRAM).SerializeToString()
    return data


class _Encoder:
    """Of one program."""

    def __init__(self, schema: fy.P4Schema) -> None:
        self._schema = schema
        self._table = lru_cache(_FIELDS)(self._find_table)
        self._field = lru_cache(_FIELDS)(self._encode_field)
        self._param = lru_cache(_FIELDS)(self._encode_param)
        self._action = lru_cache(_FIELDS)(self._find_action)

    def table_entry(self, entry: TableEntry) -> bytes | None:
        """The entity; None where finsy has to look at it."""
        table, name = entry.table, entry.action
        try:
            head = self._table(table)
            action, count = self._action(table, name)
            if len(entry.args) != count:
                return None
            match = [self._field(table, key, value) for key, value in entry.match]
            params = [self._param(table, name, key, value) for key, value in entry.args]
        except ValueError:
            return None
        told = _within(_TABLE_ACTION, _within(_ACTION, action + b"".join(params)))
        return _within(_TABLE_ENTRY, head + b"".join(match) + told)

    def _find_table(self, table: str) -> bytes:
        found: Any = self._schema.tables[table]
        if found.action_profile is not None:
            raise ValueError("its actions are members or one-shot sets")
        data: bytes = p4r.TableEntry(table_id=found.id).SerializeToString()
        return data

    def _find_action(self, table: str, action: str) -> tuple[bytes, int]:
        """Its id, and the number of its parameters."""
        found: Any = self._schema.tables[table].actions[action]
        return p4r.Action(action_id=found.id).SerializeToString(), len(found.params)

    def _encode_field(self, table: str, field: str, value: Value) -> bytes:
        message = self._schema.tables[table].match_fields[field].encode_field(value)
        if message is None:
            raise ValueError("the field is left out")
        data: bytes = p4r.TableEntry(match=[message]).SerializeToString()
        return data

    def _encode_param(self, table: str, action: str, param: str, value: int) -> bytes:
        message = self._schema.tables[table].actions[action].params[param].encode_param(value)
        data: bytes = p4r.Action(params=[message]).SerializeToString()
        return data


@lru_cache(maxsize=8)
def _encoder(schema: fy.P4Schema) -> _Encoder:
    return _Encoder(schema)


# ---- Protocol Buffers' encoding of a message within another: tag, length, message ----


def _tag(message: Any, field: str) -> bytes:
    """Of a field that is a message; all numbers here are below 16, so that it is one byte."""
    return bytes([message.DESCRIPTOR.fields_by_name[field].number << 3 | 2])


def _varint(number: int) -> bytes:
    low = []
    while number > 127:
        low.append(number & 127 | 128)
        number >>= 7
    return bytes([*low, number])


_UPDATES = _tag(p4r.WriteRequest, "updates")
_ENTITY = _tag(p4r.Update, "entity")
_TABLE_ENTRY = _tag(p4r.Entity, "table_entry")
_TABLE_ACTION = _tag(p4r.TableEntry, "action")
_ACTION = _tag(p4r.TableAction, "action")
_LENGTHS = [_varint(length) for length in range(1024)]


def _within(tag: bytes, message: bytes) -> bytes:
    length = len(message)
    return tag + (_LENGTHS[length] if length < 1024 else _varint(length)) + message


@lru_cache(maxsize=8)
def _operation(operation: p4r.Update.Type.ValueType) -> bytes:
    data: bytes = p4r.Update(type=operation).SerializeToString()
    return data
