"""Entries of tables with exact keys."""

from __future__ import annotations

from collections.abc import Mapping

from finsy.proto import p4r

from .programs import Program
from .values import to_bytes


class Entries:
    """Entries with exact keys, by names without their leading parts."""

    def __init__(self, program: Program) -> None:
        self._tables = {table.preamble.alias: table for table in program.p4info.tables}
        self._actions = {
            action.preamble.name.rpartition(".")[2]: action for action in program.p4info.actions
        }

    def entry(self, table: str, match: Mapping[str, int], action: str, **params: int) -> p4r.Update:
        update = p4r.Update(type=p4r.Update.INSERT)
        entry = update.entity.table_entry
        info, run = self._tables[table], self._actions[action]
        entry.table_id = info.preamble.id
        for field in info.match_fields:
            value = match[field.name.rpartition(".")[2]]
            entry.match.add(field_id=field.id).exact.value = to_bytes(value)
        entry.action.action.action_id = run.preamble.id
        for param in run.params:
            entry.action.action.params.add(param_id=param.id, value=to_bytes(params[param.name]))
        return update
