"""Indexed counters; direct ones are in :mod:`.direct`."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from finsy.proto import p4r

from qplane_cext.switch.core import SwitchCore

from ..errors import invalid
from ..p4info import Array, P4InfoIndex
from .base import Journal, Kind, MayRead, cell_range, only_modify


def decode_counts(data: p4r.CounterData, what: str) -> tuple[int, int]:
    """(packets, bytes). INVALID_ARGUMENT when negative."""
    if data.packet_count < 0 or data.byte_count < 0:
        raise invalid(f"{what}: a counter can't be negative")
    return data.packet_count, data.byte_count


class CounterStore:
    """``CounterEntry``: cells of indexed counters."""

    def __init__(self, index: P4InfoIndex, core: SwitchCore) -> None:
        self._index = index
        self._core = core

    def p4_id(self, message: p4r.CounterEntry) -> int:
        """The counter's id."""
        return message.counter_id

    def write(self, kind: Kind, message: p4r.CounterEntry, journal: Journal) -> None:
        """Set one cell or all; without data nothing changes."""
        counter = self._index.counter(message.counter_id)
        what = f"counter {counter.name!r}"
        only_modify(kind, what)
        cells = cell_range(message, counter.size, what)
        if not message.HasField("data"):
            return
        packets, nbytes = decode_counts(message.data, what)
        for cell in cells:
            before = self._core.counter_read(counter.name, cell)
            self._core.counter_write(counter.name, cell, packets, nbytes)
            journal.append(partial(self._core.counter_write, counter.name, cell, *before))

    def read(self, query: p4r.CounterEntry, may_read: MayRead) -> Iterator[p4r.Entity]:
        """One cell, one counter or all counters."""
        if query.counter_id:
            yield from self._read(self._index.counter(query.counter_id), query)
            return
        for counter in self._index.counters.values():
            if may_read(counter.id):
                yield from self._read(counter, p4r.CounterEntry())

    def _read(self, counter: Array, query: p4r.CounterEntry) -> Iterator[p4r.Entity]:
        for cell in cell_range(query, counter.size, f"counter {counter.name!r}"):
            packets, nbytes = self._core.counter_read(counter.name, cell)
            entity = p4r.Entity()
            entry = entity.counter_entry
            entry.counter_id = counter.id
            entry.index.index = cell
            entry.data.packet_count = packets
            entry.data.byte_count = nbytes
            yield entity
