"""``DirectCounterEntry`` and ``DirectMeterEntry``: the resources attached to table entries."""

from __future__ import annotations

from collections.abc import Iterator

from finsy.proto import p4r

from ..errors import invalid
from .base import Journal, Kind, MayRead, only_modify
from .counters import decode_counts
from .meters import check_color_reset, decode_config
from .tables import Tables, TableStore


def _selected(
    tables: Tables, query: p4r.TableEntry, kind: str, may_read: MayRead
) -> list[TableStore]:
    """The tables that a read names: one, or with no id all that have such a resource."""
    if query.table_id:
        store = tables.store(query.table_id)
        if getattr(store.table, kind) is None:
            raise invalid(f"{store.what} has no direct {kind}")
        return [store]
    if query.match or query.priority:
        raise invalid(f"a read of all direct {kind}s takes no filter")
    return [
        store
        for store in tables.stores.values()
        if getattr(store.table, kind) is not None and may_read(store.table.id)
    ]


def _addressed(tables: Tables, message: p4r.TableEntry, kind: str) -> TableStore:
    """The table of a write."""
    store = tables.store(message.table_id)
    if getattr(store.table, kind) is None:
        raise invalid(f"{store.what} has no direct {kind}")
    return store


class DirectCounterStore:
    """``DirectCounterEntry``."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def p4_id(self, message: p4r.DirectCounterEntry) -> int:
        """The table's id."""
        return message.table_entry.table_id

    def write(self, kind: Kind, message: p4r.DirectCounterEntry, journal: Journal) -> None:
        """Set an entry's counter; without data nothing changes."""
        only_modify(kind, "a direct counter")
        store = _addressed(self._tables, message.table_entry, "counter")
        entry = store.find(message.table_entry)
        if message.HasField("data"):
            store.counter_write(entry, decode_counts(message.data, store.what), journal)

    def read(self, query: p4r.DirectCounterEntry, may_read: MayRead) -> Iterator[p4r.Entity]:
        """The counter of one entry (NOT_FOUND when there is none), of a table or of all tables."""
        for store in _selected(self._tables, query.table_entry, "counter", may_read):
            if query.table_entry.match:
                entries = iter((store.find(query.table_entry),))
            else:
                entries = store.select(query.table_entry)
            for entry in entries:
                entity = p4r.Entity()
                entity.direct_counter_entry.table_entry.CopyFrom(store.key_message(entry))
                entity.direct_counter_entry.data.CopyFrom(store.counter_read(entry))
                yield entity


class DirectMeterStore:
    """``DirectMeterEntry``."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def p4_id(self, message: p4r.DirectMeterEntry) -> int:
        """The table's id."""
        return message.table_entry.table_id

    def write(self, kind: Kind, message: p4r.DirectMeterEntry, journal: Journal) -> None:
        """Configure an entry's meter; an unset configuration is the default (all green)."""
        only_modify(kind, "a direct meter")
        store = _addressed(self._tables, message.table_entry, "meter")
        check_color_reset(message.counter_data, store.what)
        entry = store.find(message.table_entry)
        if message.HasField("counter_data"):
            store.reset_colors(entry, journal)
        if not message.HasField("config"):
            store.meter_write(entry, None, None, journal)
            return
        rates = decode_config(message.config, store.table.meter_spec, store.what)
        config = p4r.MeterConfig()
        config.CopyFrom(message.config)
        store.meter_write(entry, config, rates, journal)

    def read(self, query: p4r.DirectMeterEntry, may_read: MayRead) -> Iterator[p4r.Entity]:
        """The meter of one entry (NOT_FOUND when there is none), of a table or of all tables;
        counters by colour when the query asks for them."""
        for store in _selected(self._tables, query.table_entry, "meter", may_read):
            if query.table_entry.match:
                entries = iter((store.find(query.table_entry),))
            else:
                entries = store.select(query.table_entry)
            for entry in entries:
                entity = p4r.Entity()
                message = entity.direct_meter_entry
                message.table_entry.CopyFrom(store.key_message(entry))
                if entry.meter is not None:
                    message.config.CopyFrom(entry.meter)
                if query.HasField("counter_data"):
                    message.counter_data.CopyFrom(store.colors_read(entry))
                yield entity
