"""Entries as P4Runtime messages, fast: many thousands at once, most of whose fields are alike.

finsy encodes each field and each action parameter; what came out is kept by value, so that a table
entry costs a few look-ups. What is not a plain table entry that finsy would accept is left to
finsy, errors included.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import finsy as fy
from finsy.proto import p4r

from qplane.control.entries import Entry, TableEntry, Value

_FIELDS = 1 << 16
"""Encoded fields that are kept for each program."""


def encode_into(entity: p4r.Entity, entry: Entry, schema: fy.P4Schema) -> None:
    """Make an empty `entity` what `entry.to_finsy().encode(schema)` gives; it may be part of a
    larger message, which spares copies. Raises ValueError: no such table, field, ..."""
    if not (isinstance(entry, TableEntry) and _encoder(schema).table_entry(entity, entry)):
        entity.CopyFrom(entry.to_finsy().encode(schema))


class _Encoder:
    """Of one program. Messages that are kept are copied into others, never changed."""

    def __init__(self, schema: fy.P4Schema) -> None:
        self._schema = schema
        self._table = lru_cache(_FIELDS)(self._find_table)
        self._field = lru_cache(_FIELDS)(self._encode_field)
        self._param = lru_cache(_FIELDS)(self._encode_param)
        self._action = lru_cache(_FIELDS)(self._find_action)

    def table_entry(self, entity: p4r.Entity, entry: TableEntry) -> bool:
        """False, and nothing written, where finsy has to look at it."""
        table, name = entry.table, entry.action
        try:
            table_id = self._table(table)
            action_id, count = self._action(table, name)
            if len(entry.args) != count:
                return False
            match = [self._field(table, key, value) for key, value in entry.match]
            params = [self._param(table, name, key, value) for key, value in entry.args]
        except ValueError:
            return False
        message = entity.table_entry
        message.table_id = table_id
        message.match.extend(match)
        action = message.action.action
        action.action_id = action_id
        action.params.extend(params)
        return True

    def _find_table(self, table: str) -> int:
        found: Any = self._schema.tables[table]
        if found.action_profile is not None:
            raise ValueError("its actions are members or one-shot sets")
        return int(found.id)

    def _find_action(self, table: str, action: str) -> tuple[int, int]:
        """Its id and number of parameters."""
        found: Any = self._schema.tables[table].actions[action]
        return int(found.id), len(found.params)

    def _encode_field(self, table: str, field: str, value: Value) -> p4r.FieldMatch:
        message: p4r.FieldMatch | None
        message = self._schema.tables[table].match_fields[field].encode_field(value)
        if message is None:
            raise ValueError("the field is left out")
        return message

    def _encode_param(self, table: str, action: str, param: str, value: int) -> p4r.Action.Param:
        message: p4r.Action.Param
        message = self._schema.tables[table].actions[action].params[param].encode_param(value)
        return message


@lru_cache(maxsize=8)
def _encoder(schema: fy.P4Schema) -> _Encoder:
    return _Encoder(schema)
