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


def encode(entry: Entry, schema: fy.P4Schema) -> p4r.Entity:
    """What `entry.to_finsy().encode(schema)` gives. Raises ValueError: no such table, field, ..."""
    if isinstance(entry, TableEntry):
        found = _encoder(schema).table_entry(entry)
        if found is not None:
            return found
    entity: p4r.Entity = entry.to_finsy().encode(schema)
    return entity


class _Encoder:
    """Of one program. Messages that are kept are copied into others, never changed."""

    def __init__(self, schema: fy.P4Schema) -> None:
        self._schema = schema
        self._table = lru_cache(_FIELDS)(self._find_table)
        self._field = lru_cache(_FIELDS)(self._encode_field)
        self._param = lru_cache(_FIELDS)(self._encode_param)
        self._action = lru_cache(_FIELDS)(self._find_action)

    def table_entry(self, entry: TableEntry) -> p4r.Entity | None:
        """None where finsy has to look at it."""
        table, name = entry.table, entry.action
        try:
            table_id = self._table(table)
            action_id, count = self._action(table, name)
            if len(entry.args) != count:
                return None
            match = [self._field(table, key, value) for key, value in entry.match]
            params = [self._param(table, name, key, value) for key, value in entry.args]
        except ValueError:
            return None
        action = p4r.Action(action_id=action_id, params=params)
        return p4r.Entity(
            table_entry=p4r.TableEntry(
                table_id=table_id, match=match, action=p4r.TableAction(action=action)
            )
        )

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
