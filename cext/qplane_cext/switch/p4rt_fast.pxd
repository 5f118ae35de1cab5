"""The decoder of simple updates, as p4rt_apply sees it."""

from libc.stdint cimport int64_t

cdef enum:
    MAX_FIELDS = 64


cdef struct Cursor:
    const unsigned char* at
    const unsigned char* end
    bint failed  # ran past the end, or an over-long varint


cdef class ActionDecoder:
    cdef readonly object ref
    cdef readonly int64_t core_id
    cdef int n_params
    cdef int[MAX_FIELDS] bits
    cdef tuple decode(self, Cursor* c, bint* canonical)
