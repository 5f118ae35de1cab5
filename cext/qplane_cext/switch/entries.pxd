"""Control of tables."""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from qplane_cext.switch.base cimport SwitchBase
from qplane_cext.switch.state cimport EntryData, Target

cdef enum:
    MAX_KEY_WORDS = 1024


cdef class TableControl(SwitchBase):
    cdef object pack_action(self, int64_t action_id, params, allowed, Target* out)
    cdef object pack_target(self, int index, target, Target* out)
    cdef int64_t insert(self, int index, key, int64_t priority, target, bint const) except -2
    cdef int64_t pack_key(self, int index, key, int64_t priority, uint64_t* space) except -2
    cdef void lock(self) noexcept
    cdef void unlock(self) noexcept
    cdef int64_t find_entry(self, int index, uint64_t* key, int64_t priority) noexcept
    cdef int64_t put_entry(
        self, int index, uint64_t* key, int64_t priority, const Target* target, bint is_const
    ) noexcept
    cdef void set_target(self, EntryData* data, const Target* target) noexcept
    cdef void drop_entry(self, int index, int64_t handle) noexcept
    cdef EntryData* changeable(self, int index, int64_t handle) except NULL
    cdef uint32_t item(self, int index, int64_t handle) noexcept
    cdef tuple key_of(self, int index, int64_t handle)
    cdef tuple target_of(self, const Target* target)
    cdef EntryData* entry(self, int index, int64_t handle, bint allow_miss) except NULL
