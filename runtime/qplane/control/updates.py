"""Updates of a switch's entries, and what became of them."""

from __future__ import annotations

from dataclasses import dataclass

import finsy as fy
from finsy.proto import p4r

from qplane.control.encoding import entity_of, update_of
from qplane.control.entries import DefaultAction, Entry, MeterRate
from qplane.control.errors import Failure


@dataclass(frozen=True, slots=True)
class Update:
    """INSERT, MODIFY or DELETE of an entry; `before` is what stood there (MODIFY, DELETE)."""

    operation: p4r.Update.Type.ValueType
    entry: Entry
    before: Entry | None = None

    @classmethod
    def insert(cls, entry: Entry) -> Update:
        return cls(p4r.Update.INSERT, entry)

    @classmethod
    def modify(cls, before: Entry, entry: Entry) -> Update:
        return cls(p4r.Update.MODIFY, entry, before)

    @classmethod
    def delete(cls, entry: Entry) -> Update:
        return cls(p4r.Update.DELETE, entry, entry)

    @property
    def operation_name(self) -> str:
        return str(p4r.Update.Type.Name(self.operation))

    @property
    def is_delete(self) -> bool:
        return self.operation == p4r.Update.DELETE

    def encoded(self, schema: fy.P4Schema) -> bytes:
        """As a serialized P4Runtime update. Raises ValueError where the P4 program has no such
        entry."""
        entry = self.entry
        if isinstance(entry, (MeterRate, DefaultAction)):
            entity = entry.to_finsy(lifted=self.is_delete).encode(schema)
            return update_of(p4r.Update.MODIFY, entity.SerializeToString())
        return update_of(self.operation, entity_of(entry, schema))

    def inverse(self) -> Update:
        """What undoes it."""
        if self.before is None:
            return Update.delete(self.entry)
        if self.is_delete:
            return Update.insert(self.before)
        return Update.modify(self.entry, self.before)

    def failure(self, node: str, code: str, message: str) -> Failure:
        """That `node` refused it."""
        return Failure(node, self.operation_name, self.entry.table, str(self.entry), code, message)


@dataclass(frozen=True)
class Outcome:
    """What became of a list of updates: done, refused, or unknown as the switch did not answer."""

    done: tuple[Update, ...] = ()
    failures: tuple[Failure, ...] = ()
    unknown: tuple[Update, ...] = ()

    def __add__(self, other: Outcome) -> Outcome:
        return Outcome(
            self.done + other.done, self.failures + other.failures, self.unknown + other.unknown
        )
