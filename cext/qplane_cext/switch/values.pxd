"""Byte strings of the control plane to words and back to errors."""

from libc.stdint cimport uint64_t

cdef int put_words(uint64_t* out, value, int words) except -1
cdef bint small_number(data, int bits, uint64_t* out)
cdef object number(data, bits, what)
cdef bytes text(const uint64_t* limbs, int shift, int bits)
