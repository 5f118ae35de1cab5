"""Control of tables."""

from libc.stdint cimport int64_t

from qplane_cext.switch.base cimport SwitchBase
from qplane_cext.switch.state cimport EntryData, Target


cdef class TableControl(SwitchBase):
    cdef object pack_action(self, int64_t action_id, params, allowed, Target* out)
    cdef object pack_target(self, int index, target, Target* out)
    cdef int64_t insert(self, int index, key, int64_t priority, target, bint const) except -2
    cdef EntryData* entry(self, int index, int64_t handle, bint allow_miss) except NULL
