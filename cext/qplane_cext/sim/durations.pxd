"""Durations as they are measured: how many, their mean, the longest, and quantiles."""

from libc.stdint cimport int64_t, uint64_t

cdef enum:
    DURATION_BINS = 460  # of width 10 % up to 2^63


cdef struct Durations:
    uint64_t count
    double sum_ns
    int64_t most_ns
    uint64_t[460] bins


cdef void durations_add(Durations* durations, int64_t ns) noexcept nogil
# count, mean_ns, p50_ns, p99_ns, max_ns; 0 where there is none.
cdef dict durations_dict(const Durations* durations)
