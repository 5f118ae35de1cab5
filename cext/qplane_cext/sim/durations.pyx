"""Durations as they are measured; see durations.pxd. Quantiles are right to within 5 %."""

from libc.math cimport exp, log
from libc.string cimport memset

cdef double LOG_BIN = log(1.1)


cdef void durations_add(Durations* durations, int64_t ns) noexcept nogil:
    cdef int bin = 0
    if ns > 1:
        bin = <int>(log(<double>ns) / LOG_BIN)
        if bin >= DURATION_BINS:
            bin = DURATION_BINS - 1
    durations.bins[bin] += 1
    durations.count += 1
    durations.sum_ns += ns
    if ns > durations.most_ns:
        durations.most_ns = ns


cdef double quantile(const Durations* durations, double share) noexcept:
    """The middle of the bin where it lies, but not beyond the longest."""
    cdef uint64_t wanted = <uint64_t>(share * durations.count)
    cdef uint64_t seen = 0
    cdef int bin
    for bin in range(DURATION_BINS):
        seen += durations.bins[bin]
        if seen > wanted:
            return min(exp((bin + 0.5) * LOG_BIN), <double>durations.most_ns)
    return durations.most_ns


cdef dict durations_dict(const Durations* durations):
    return {
        "count": durations.count,
        "mean_ns": durations.sum_ns / durations.count if durations.count else 0.0,
        "p50_ns": quantile(durations, 0.5),
        "p99_ns": quantile(durations, 0.99),
        "max_ns": durations.most_ns,
    }


def summarize_durations(durations_ns):
    """What is kept of the durations given; for tests, as the struct is reachable from C alone."""
    cdef Durations durations
    memset(&durations, 0, sizeof(Durations))
    for ns in durations_ns:
        durations_add(&durations, ns)
    return durations_dict(&durations)
