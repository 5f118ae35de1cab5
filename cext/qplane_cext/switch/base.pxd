"""The root of SwitchCore: state, lock, statistics."""

from libc.stdint cimport int64_t

from qplane_cext.switch.state cimport Core

cdef enum:
    SESSIONS = 32768  # clone sessions
    GROUPS = 65536  # multicast groups

cdef extern from "pthread.h" nogil:
    ctypedef struct pthread_mutex_t:
        pass


cdef class SwitchBase:
    cdef Core core
    cdef pthread_mutex_t mutex
    cdef object _pipeline
    cdef object _compiled  # keeps the C structures alive
    cdef object _program
    cdef object _control  # one control call at a time
    cdef dict _table_index
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

    cdef int64_t clock(self, now_us) except? -1
