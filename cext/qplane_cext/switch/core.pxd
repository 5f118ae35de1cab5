"""The switch for other Cython modules: process packets without the GIL."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from qplane_cext.switch.state cimport Core, EntryData, Target, emit_fn

cdef extern from "pthread.h" nogil:
    ctypedef struct pthread_mutex_t:
        pass


cdef class SwitchCore:
    cdef Core core
    cdef pthread_mutex_t mutex
    cdef object _pipeline
    cdef object _compiled  # keeps the C structures alive
    cdef object _program
    cdef object _control  # one control call at a time
    cdef dict _table_index
    cdef list _entries  # per table: handle -> (key, priority, target, is_const)
    cdef list _defaults  # per table: target or None
    cdef dict _profile_index
    cdef list _members  # per profile: handle -> (action id, params)
    cdef list _member_uses
    cdef list _groups  # per profile: handle -> ((member, weight), ...)
    cdef list _group_uses
    cdef dict _value_set_members
    cdef object _on_digest
    cdef object _on_log
    cdef object _on_trace
    cdef set _initial  # tables whose entries of the program can be changed
    cdef double _started

    cdef int c_process(
        self, uint32_t port, const uint8_t* data, uint32_t length, int64_t now_us,
        emit_fn emit, void* ctx,
    ) noexcept nogil
    cdef void deliver(self) noexcept
    cdef int64_t clock(self, now_us) except? -1
    cdef object pack_action(self, int64_t action_id, params, allowed, Target* out)
    cdef object pack_target(self, int index, target, Target* out)
    cdef int64_t insert(self, int index, key, int64_t priority, target, bint const) except -2
    cdef EntryData* entry(self, int index, int64_t handle, bint allow_miss) except NULL
