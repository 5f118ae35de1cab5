"""Two-rate three-colour meters (RFC 2698, colour-blind), as BMv2 runs them."""

from libc.stdint cimport int64_t, uint64_t

from qplane_cext.switch.state cimport Meter

cdef enum:
    GREEN = 0
    YELLOW = 1
    RED = 2


cdef inline bint take(
    uint64_t* tokens, int64_t* last, double rate, uint64_t burst, int64_t now_us, uint64_t cost
) noexcept nogil:
    """Fill a bucket up to now, then take the cost out of it if it is there."""
    cdef int64_t since = <int64_t>(<double>now_us * (rate / 1e6))
    if since > last[0]:
        tokens[0] += <uint64_t>(since - last[0])
        last[0] = since
    if tokens[0] > burst:
        tokens[0] = burst
    if tokens[0] < cost:
        return False
    tokens[0] -= cost
    return True


cdef inline uint64_t execute_meter(Meter* meter, int64_t now_us, uint64_t cost) noexcept nogil:
    """The packet's colour; green while the meter is not configured."""
    if meter == NULL or not meter.configured:
        return GREEN
    if not take(&meter.peak, &meter.last_pir, meter.pir, meter.pburst, now_us, cost):
        return RED
    if not take(&meter.committed, &meter.last_cir, meter.cir, meter.cburst, now_us, cost):
        return YELLOW
    return GREEN
