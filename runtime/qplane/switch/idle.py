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
        # Only what is idle now can have been reported and not been hit since.
        before, self._reported = self._reported, {}
        for store in state.tables.timed_stores:
            if not store.timed:
                continue
            message = p4r.IdleTimeoutNotification()
            for handle in state.core.idle_entries(store.table.name):
                entry = store.timed[handle]
                idle = state.core.table_idle_ns(store.table.name, handle)
                where = store.table.id, handle
                reported = before.get(where, 0)
                if idle < reported:  # hit between two looks
                    reported = 0
                if idle - reported >= entry.idle_timeout_ns:
                    reported = idle
                    message.table_entry.append(store.entry_message(entry))
                self._reported[where] = reported
            if message.table_entry:
                message.timestamp = time.time_ns()
                yield store.table.id, message
