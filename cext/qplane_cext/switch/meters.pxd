"""Three-colour meters, colour-blind: two rates (RFC 2698) as BMv2 runs them, or a single rate with an
excess burst (RFC 2697)."""

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


cdef inline uint64_t single_rate(Meter* meter, int64_t now_us, uint64_t cost) noexcept nogil:
    """Tokens that the committed bucket has no room for go to the excess bucket."""
    cdef int64_t since = <int64_t>(<double>now_us * (meter.cir / 1e6))
    if since > meter.last_cir:
        meter.committed += <uint64_t>(since - meter.last_cir)
        meter.last_cir = since
    if meter.committed > meter.cburst:
        meter.peak = min(meter.peak + meter.committed - meter.cburst, meter.eburst)
        meter.committed = meter.cburst
    if meter.committed >= cost:
        meter.committed -= cost
        return GREEN
    if meter.peak >= cost:
        meter.peak -= cost
        return YELLOW
    return RED


cdef inline uint64_t color_of(Meter* meter, int64_t now_us, uint64_t cost) noexcept nogil:
    """The packet's colour; green while the meter is not configured."""
    if not meter.configured:
        return GREEN
    if meter.eburst:
        return single_rate(meter, now_us, cost)
    if not take(&meter.peak, &meter.last_pir, meter.pir, meter.pburst, now_us, cost):
        return RED
    if not take(&meter.committed, &meter.last_cir, meter.cir, meter.cburst, now_us, cost):
        return YELLOW
    return GREEN


cdef inline uint64_t execute_meter(
    Meter* meter, int64_t now_us, uint64_t length, bint by_bytes
) noexcept nogil:
    """The colour of a packet of so many bytes, which is counted."""
    cdef uint64_t color = color_of(meter, now_us, length if by_bytes else 1)
    meter.colors[color].packets += 1
    meter.colors[color].bytes += length
    return color
