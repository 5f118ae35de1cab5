"""Classical channels; see channel.pxd."""

from libc.math cimport rint
from libc.stdint cimport uint8_t, uint32_t
from libc.stdlib cimport free

from qplane_cext.sim.events cimport packet_new, queue_push, time_sum
from qplane_cext.sim.streams cimport chance, exponential, uniform

cdef enum:
    ETHERNET_BYTES = 14
    ADDRESS_BYTES = 12
    MPLS = 0x8847
    QCI_ON_LINK = 0x88B5
    GAL = 13


cdef inline uint32_t be32(const uint8_t* data) noexcept nogil:
    return (<uint32_t>data[0] << 24) | (data[1] << 16) | (data[2] << 8) | data[3]


cdef bint is_qci(Packet* packet) noexcept nogil:
    """EtherType 0x88B5, or an MPLS stack that ends with the GAL before an associated channel."""
    cdef const uint8_t* data = packet.data
    cdef uint32_t at = ETHERNET_BYTES, entry
    cdef int ether_type
    if packet.length < ETHERNET_BYTES:
        return False
    ether_type = data[12] << 8 | data[13]
    if ether_type == QCI_ON_LINK:
        return True
    if ether_type != MPLS:
        return False
    while at + 4 <= packet.length:
        entry = be32(data + at)
        at += 4
        if entry >> 8 & 1:
            return entry >> 12 == GAL and at < packet.length and data[at] >> 4 == 1
    return False


cdef void corrupt(Direction* direction, Packet* packet) noexcept nogil:
    """Flip 1 to max_flipped_bits different bits behind the addresses (a frame has at least 16)."""
    cdef uint32_t bits = 8 * (packet.length - ADDRESS_BYTES)
    cdef uint32_t[MAX_FLIPPED_BITS] flipped
    cdef int count = 1 + <int>(uniform(direction.stream) * direction.faults.max_flipped_bits)
    cdef int i = 0, j
    while i < count:
        flipped[i] = <uint32_t>(uniform(direction.stream) * bits)
        for j in range(i):
            if flipped[j] == flipped[i]:
                break
        else:
            packet.data[ADDRESS_BYTES + (flipped[i] >> 3)] ^= 1 << (flipped[i] & 7)
            i += 1


cdef void send_faulty(
    Queue* queue, Direction* direction, Packet* packet, int64_t arrival_ps
) noexcept nogil:
    """Each fault is drawn on its own; a duplicate is a copy of what arrives, corrupted or not."""
    cdef FaultRates* faults = &direction.faults
    cdef Packet* copy
    cdef int64_t ordered_ps
    if chance(direction.stream, faults.loss):
        direction.counters.lost += 1
        free(packet)
        return
    if packet.length >= ETHERNET_BYTES and chance(direction.stream, faults.corruption):
        direction.counters.corrupted += 1
        corrupt(direction, packet)
    if chance(direction.stream, faults.delay):
        direction.counters.delayed += 1
        arrival_ps = time_sum(
            arrival_ps, <int64_t>exponential(direction.stream, faults.mean_delay_ps)
        )
    if chance(direction.stream, faults.duplication):
        copy = packet_new(queue, packet.data, packet.length)
        if copy != NULL:
            direction.counters.duplicated += 1
            queue_push(
                queue,
                time_sum(
                    max(arrival_ps, direction.last_faulty_ps),
                    <int64_t>exponential(direction.stream, faults.mean_delay_ps),
                ),
                direction.arrival_kind,
                direction.where,
                direction.port,
                copy,
            )
    ordered_ps = max(arrival_ps, direction.last_faulty_ps)
    if chance(direction.stream, faults.reordering):
        direction.counters.reordered += 1
        ordered_ps = time_sum(
            ordered_ps, <int64_t>exponential(direction.stream, faults.mean_delay_ps)
        )
    else:
        direction.last_faulty_ps = ordered_ps
    queue_push(
        queue, ordered_ps, direction.arrival_kind, direction.where, direction.port, packet
    )


cdef void channel_send(Queue* queue, Direction* direction, Packet* packet) noexcept nogil:
    cdef int64_t arrival_ps
    cdef bint qci = is_qci(packet)
    direction.counters.frames += 1
    direction.counters.bytes += packet.length
    direction.counters.qci += qci
    if direction.cut:
        direction.counters.lost += 1
        free(packet)
        return
    direction.busy_until_ps = time_sum(
        max(queue.now_ps, direction.busy_until_ps),
        <int64_t>rint(direction.ps_per_byte * packet.length),
    )
    arrival_ps = time_sum(direction.busy_until_ps, direction.delay_ps)
    if direction.faulty and (qci or direction.faults.all_traffic):
        send_faulty(queue, direction, packet, arrival_ps)
    else:
        queue_push(
            queue, arrival_ps, direction.arrival_kind, direction.where, direction.port, packet
        )
