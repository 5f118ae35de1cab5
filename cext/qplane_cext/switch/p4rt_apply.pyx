"""Applies the updates that p4rt_fast decoded: entries with plain actions, without Python's detours.

An update that can't be applied as it is (the entry exists, the table is full) is left to the
general path, which finds the error and words it.
"""

cimport cython
from libc.stdint cimport int64_t, uint64_t

from qplane_cext.switch.core cimport SwitchCore
from qplane_cext.switch.p4rt_fast cimport ActionDecoder

from .errors import SwitchError

cdef enum:
    INSERT = 1
    MODIFY = 2

cdef object _make = tuple.__new__


@cython.final
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


@cython.final
cdef class TableWriter:
    """Where a table's simple updates go: the packet path, and the entries as written."""

    cdef SwitchCore core
    cdef str name
    cdef int index
    cdef dict entries
    cdef dict timed
    cdef object set_timeout
    cdef object action_type

    def __init__(self, SwitchCore core, str name, dict entries, dict timed, set_timeout,
                 action_type):
        self.core, self.name, self.index = core, name, core._table_index[name]
        self.entries, self.timed = entries, timed
        self.set_timeout, self.action_type = set_timeout, action_type

    cdef bint write(self, tuple update) except -1:
        """Apply an update; False: nothing was done."""
        cdef int kind = update[0]
        cdef tuple where = <tuple>update[2]
        cdef ActionDecoder action = <ActionDecoder>update[3]
        cdef tuple params = <tuple>update[4]
        cdef Entry entry = self.entries.get(where)
        cdef int64_t handle, timeout = update[7]
        try:
            if kind == INSERT:
                if entry is not None or action is None:
                    return False
                handle = self.core.insert(
                    self.index, where[0], where[1], ("action", action.core_id, params), False
                )
                entry = Entry(
                    handle, where[0], where[1], _make(self.action_type, (action.ref, params)),
                    update[5], update[6], timeout, wire=update[8],
                )
                self.entries[where] = entry
            elif entry is None or entry.is_const:
                return False
            elif kind == MODIFY:
                if action is None:
                    return False
                self.core.table_modify(self.name, entry.handle, ("action", action.core_id, params))
                entry.action = _make(self.action_type, (action.ref, params))
                entry.metadata, entry.controller_metadata = update[5], update[6]
                entry.idle_timeout_ns, entry.wire = timeout, update[8]
            else:
                self.core.table_delete(self.name, entry.handle)
                del self.entries[where]
                self.timed.pop(entry.handle, None)
                return True
        except SwitchError:
            return False
        if self.set_timeout is not None and (timeout or kind == MODIFY):
            self.set_timeout(entry)
            entry.wire = update[8]
        return True


def apply_updates(SwitchCore core not None, list updates not None, general):
    """Apply updates in order: tuples of ``decode_updates`` here, whatever else by ``general``.

    ``general`` gets an update's bytes, or what stands in the list, and returns its error or None.
    Returns the list of errors, one an update.
    """
    cdef list errors = []
    cdef object update
    with core._control:  # once, not for every update
        for update in updates:
            if type(update) is tuple:
                if (<TableWriter>(<tuple>update)[1]).write(<tuple>update):
                    errors.append(None)
                    continue
                update = (<tuple>update)[9]
            errors.append(general(update))
    return errors
