"""Applies a batch that p4rt_fast decoded: simple entries here, whatever else by the general path.

A simple update that can't be applied as it is (the entry exists, the table is full) is left to the
general path too, which finds the error and words it.
"""

cimport cython
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from qplane_cext.switch.core cimport SwitchCore
from qplane_cext.switch.p4rt_fast cimport ActionDecoder, Batch, Record, TableDecoder, wire_of
from qplane_cext.switch.state cimport TARGET_ACTION, EntryData, Target

cdef enum:
    INSERT = 1
    MODIFY = 2


@cython.final
@cython.no_gc  # it refers to nothing that could refer to it, and there are very many
@cython.freelist(512)
cdef class Entry:
    """A table entry as the controller wrote it (see the .pyi)."""

    cdef public int64_t handle
    cdef public tuple key
    cdef public int64_t priority
    cdef public object action
    cdef public bytes metadata
    cdef public uint64_t controller_metadata
    cdef public int64_t idle_timeout_ns
    cdef public bint is_const
    cdef public object meter
    cdef public bytes wire

    def __init__(
        self, int64_t handle, tuple key, int64_t priority, action, bytes metadata=b"",
        uint64_t controller_metadata=0, int64_t idle_timeout_ns=0, bint is_const=False, *,
        bytes wire=None,
    ):
        self.handle, self.key, self.priority, self.action = handle, key, priority, action
        self.metadata, self.controller_metadata = metadata, controller_metadata
        self.idle_timeout_ns, self.is_const, self.wire = idle_timeout_ns, is_const, wire

    def copy(self):
        cdef Entry other = Entry(
            self.handle, self.key, self.priority, self.action, self.metadata,
            self.controller_metadata, self.idle_timeout_ns, self.is_const, wire=self.wire,
        )
        other.meter = self.meter
        return other

    cdef void take(self, const Record* record):
        """What the packet path does not keep, from an insert or a modify."""
        self.priority = record.priority
        self.metadata = record.metadata.at[:record.metadata.end - record.metadata.at]
        self.controller_metadata = record.controller_metadata
        self.idle_timeout_ns = record.timeout_ns
        self.action = None
        self.wire = wire_of(record)


@cython.final
cdef class TableWriter:
    """Where a table's simple updates go: the packet path, and the entries as written."""

    cdef SwitchCore core
    cdef int index
    cdef uint32_t max_size
    cdef dict entries
    cdef dict timed
    cdef bint has_timeout

    def __init__(self, SwitchCore core, str name, dict entries, dict timed, bint has_timeout):
        self.core, self.index = core, core._table_index[name]
        self.max_size = core._program.tables[self.index].max_size
        self.entries, self.timed, self.has_timeout = entries, timed, has_timeout

    cdef bint write(self, const Record* record, Batch batch) except -1:
        """Apply an update; False: nothing was done."""
        cdef uint64_t* key = batch.key(record)
        cdef int64_t handle
        cdef Target target
        cdef EntryData* data
        cdef Entry entry
        if record.kind == INSERT:
            if self.core.core.tables[self.index].matcher.count >= self.max_size:
                return False
            if record.action == NULL or not self.bind(record, key, &target):
                return False
            handle = self.core.put_entry(self.index, key, record.rank, &target, False)
            if handle < 0:
                free(target.params)
                return False
            entry = Entry.__new__(Entry)
            entry.handle = handle
            self.entries[handle] = entry
        else:
            self.core.lock()
            handle = self.core.find_entry(self.index, key, record.rank)
            self.core.unlock()
            if handle < 0:
                return False
            data = &self.core.core.tables[self.index].data[handle]
            if data.is_const:
                return False
            if record.kind != MODIFY:
                self.core.drop_entry(self.index, handle)
                del self.entries[handle]
                self.timed.pop(handle, None)
                return True
            if record.action == NULL or not self.bind(record, key, &target):
                return False
            self.core.set_target(data, &target)
            entry = self.entries[handle]
        entry.take(record)
        if self.has_timeout and (record.timeout_ns or record.kind == MODIFY):
            self.time(entry)
        return True

    cdef int time(self, Entry entry) except -1:
        """Set an entry's idle time-out."""
        cdef EntryData* data = &self.core.core.tables[self.index].data[entry.handle]
        self.core.lock()
        data.timeout_ns = entry.idle_timeout_ns
        data.last_hit_us = self.core.core.now_us
        self.core.unlock()
        if entry.idle_timeout_ns:
            self.timed[entry.handle] = entry
        else:
            self.timed.pop(entry.handle, None)
        return 0

    cdef bint bind(self, const Record* record, const uint64_t* key, Target* target) except -1:
        """The action with its parameters, behind the key; False: no memory."""
        cdef ActionDecoder action = <ActionDecoder>record.action
        cdef TableDecoder table = <TableDecoder>record.table
        target.kind, target.index, target.params = TARGET_ACTION, action.core_index, NULL
        if action.words:
            target.params = <uint64_t*>malloc(action.words * 8)
            if target.params == NULL:
                return False
            memcpy(
                target.params, key + 2 * (table.words + table.range_words), action.words * 8
            )
        return True


def apply_batch(SwitchCore core not None, Batch batch not None, parse, general):
    """Apply a batch in order, the simple updates here and the others by ``general``.

    ``general`` gets what ``parse`` makes of an Update's bytes, and returns its error or None.
    Whatever is not simple is parsed before anything is applied: an error then ends it all.
    Returns the errors, one an update, or None when there are none.
    """
    cdef size_t i
    cdef const Record* record
    cdef dict parsed = {}
    cdef dict errors = {}
    for i in range(batch.count):
        if batch.records[i].table == NULL:
            parsed[i] = parse(batch.raw(&batch.records[i]))
    with core._control:  # once, not for every update
        for i in range(batch.count):
            record = &batch.records[i]
            if record.table != NULL:
                if (<TableWriter>(<TableDecoder>record.table).writer).write(record, batch):
                    continue
                update = parse(batch.raw(record))
            else:
                update = parsed[i]
            error = general(update)
            if error is not None:
                errors[i] = error
    return [errors.get(i) for i in range(batch.count)] if errors else None
