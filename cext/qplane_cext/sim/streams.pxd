"""Random streams: one Philox generator per source of chance, and exact draws from it."""

from libc.math cimport floor, log, log1p
from libc.stdint cimport int64_t
from numpy.random cimport bitgen_t


cdef class Streams:
    cdef object seed
    cdef list generators  # keeps the bit generators alive

    cdef bitgen_t* open(self, tuple key) except NULL


cdef inline double uniform(bitgen_t* stream) noexcept nogil:
    """In [0, 1)."""
    return stream.next_double(stream.state)


cdef inline bint chance(bitgen_t* stream, double probability) noexcept nogil:
    """One draw, none where the answer is certain."""
    if probability <= 0.0:
        return False
    if probability >= 1.0:
        return True
    return stream.next_double(stream.state) < probability


cdef inline double exponential(bitgen_t* stream, double mean) noexcept nogil:
    return -mean * log1p(-stream.next_double(stream.state))


cdef inline int64_t geometric(bitgen_t* stream, double probability) noexcept nogil:
    """Number of attempts up to and with the first success, by inversion: P(n) = p(1-p)^(n-1).

    With u uniform in [0, 1), n is the least integer with 1 - (1-p)^n > u. Held at 2^62.
    """
    cdef double attempts
    if probability >= 1.0:
        return 1
    attempts = floor(log1p(-stream.next_double(stream.state)) / log1p(-probability)) + 1.0
    if attempts > 4.0e18:
        return 4000000000000000000
    return <int64_t>attempts
