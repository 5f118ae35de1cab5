"""Classical channels; see channel.pxd."""

from libc.math cimport rint
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.stdlib cimport calloc, free

from qplane_cext.sim.events cimport CHANNEL_FREE, packet_new, queue_push, time_sum
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


cdef void transmit(Queue* queue, Direction* direction, Packet* packet, bint qci) noexcept nogil:
    """Put a frame on the line behind what is on it."""
    cdef int64_t arrival_ps
    if qci and direction.losing:
        direction.losing -= 1
        if direction.losing == 0:
            direction.counters.lost += 1
            free(packet)
            return
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


cdef void overflow(Direction* direction, Packet* packet) noexcept nogil:
    direction.counters.overflowed += 1
    free(packet)


cdef void wait_for_line(Queue* queue, Direction* direction, Packet* packet) noexcept nogil:
    if direction.waiting == NULL:
        direction.waiting = <Packet**>calloc(QUEUE_FRAMES, sizeof(Packet*))
        if direction.waiting == NULL:
            queue.out_of_memory = True
            free(packet)
            return
    if direction.waiting_count == QUEUE_FRAMES:
        overflow(direction, packet)
        return
    direction.waiting[
        (direction.first_waiting + direction.waiting_count) % QUEUE_FRAMES
    ] = packet
    direction.waiting_count += 1
    if direction.waiting_count == 1:
        queue_push(
            queue, direction.busy_until_ps, CHANNEL_FREE, 0, <int64_t><size_t>direction, NULL
        )


cdef void channel_send(Queue* queue, Direction* direction, Packet* packet) noexcept nogil:
    cdef bint qci = is_qci(packet)
    cdef int64_t busy_ps = direction.busy_until_ps - queue.now_ps
    direction.counters.frames += 1
    direction.counters.bytes += packet.length
    direction.counters.qci += qci
    if qci and queue.lose_qci:
        queue.lose_qci -= 1
        if queue.lose_qci == 0:
            direction.counters.lost += 1
            free(packet)
            return
    if not qci and (busy_ps > 0 or direction.waiting_count):
        wait_for_line(queue, direction, packet)
    elif busy_ps > QUEUE_FRAMES * direction.ps_per_byte * packet.length:
        overflow(direction, packet)
    else:
        transmit(queue, direction, packet, qci)


cdef void channel_free_now(Queue* queue, Direction* direction) noexcept nogil:
    cdef Packet* packet
    if direction.busy_until_ps <= queue.now_ps:
        packet = direction.waiting[direction.first_waiting]
        direction.first_waiting = (direction.first_waiting + 1) % QUEUE_FRAMES
        direction.waiting_count -= 1
        transmit(queue, direction, packet, False)
    if direction.waiting_count:
        queue_push(
            queue, direction.busy_until_ps, CHANNEL_FREE, 0, <int64_t><size_t>direction, NULL
        )


cdef void direction_free(Direction* direction) noexcept nogil:
    """What a direction itself has allocated."""
    cdef int32_t i
    for i in range(direction.waiting_count):
        free(direction.waiting[(direction.first_waiting + i) % QUEUE_FRAMES])
    free(direction.waiting)
