"""Idle time-outs: which entries have not been hit for their time to live."""

from __future__ import annotations

import time
from collections.abc import Iterator

from finsy.proto import p4r

from .state import ForwardingState


class IdleWatch:
    """Remembers when an entry was last reported, so that it is reported again only a TTL later."""

    def __init__(self) -> None:
        self._reported: dict[tuple[int, int], int] = {}  # (table id, handle) -> idle time then

    def expired(self, state: ForwardingState) -> Iterator[tuple[int, p4r.IdleTimeoutNotification]]:
        """One message a table that has entries to report, with the table's id."""
        for store in state.tables.stores.values():
            if not store.table.has_timeout:
                continue
            message = p4r.IdleTimeoutNotification()
            for entry in store.entries.values():
                if not entry.idle_timeout_ns:
                    continue
                idle = state.core.table_idle_ns(store.table.name, entry.handle)
                where = store.table.id, entry.handle
                reported = self._reported.get(where, 0)
                if idle < reported:  # it was hit since
                    reported = 0
                if idle - reported < entry.idle_timeout_ns:
                    continue
                self._reported[where] = idle
                message.table_entry.append(store.entry_message(entry))
            if message.table_entry:
                message.timestamp = time.time_ns()
                yield store.table.id, message
