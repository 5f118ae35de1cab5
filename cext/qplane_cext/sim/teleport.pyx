"""Teleportation over delivered pairs; see teleport.pxd and docs/engine.md.

What the sender's end does takes a Bell measurement's time. The receiver's end keeps its qubit until
the two bits are there, which the sender's device repeats until they are acknowledged.
"""

from libc.math cimport M_PI, cos, sin
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memset

from qplane_cext.sim.device cimport (
    AWAITING, CORRECTIONS, HELD, TELEPORTED, TELEPORTING, TELEPORTS_FAILED, UNKNOWN_CORRECTIONS,
    VOIDS, Expiry, Request, device_announce, device_discard, device_lose, device_pair_begins,
    device_send, device_vacate
)
from qplane_cext.sim.events cimport TELEPORT_DONE, queue_push, time_sum
from qplane_cext.sim.frames cimport (
    CORRECT, FRAME_TELEPORT_ANSWER, FRAME_TELEPORT_RESULT, FRAME_TELEPORTED, LARGEST_FRAME_BYTES,
    LINK_IDLE, LINK_UNKNOWN_LABEL, TELEPORT_ORDER_BYTES, TELEPORT_RESULT_BYTES, get_bits, put_bits,
    put_header
)
from qplane_cext.sim.ledger cimport ledger_deliver, ledger_measure, ledger_pauli, ledger_teleport
from qplane_cext.sim.requests cimport request_for
from qplane_cext.sim.streams cimport chance

cdef enum:  # roles
    NO_PART = 0
    SENDER = 1
    RECEIVER = 2

cdef double FULL_TURN = 4294967296.0  # angles are fractions of it


cdef void abandon(
    Device* device, Queue* queue, Ledger* ledger, QuantumMemory memory, uint8_t link,
    uint32_t label
) noexcept nogil:
    """The receiver's order is over: what waits for its two bits is delivered as any other pair."""
    cdef Slot* slot
    cdef int32_t i
    for i in range(device.slot_count):
        slot = &device.slots[i]
        if slot.state == AWAITING and slot.link == link and slot.label == label:
            ledger_deliver(ledger, memory, queue.now_ps, slot.half, False)
            device_vacate(device, queue, slot)


cdef void teleport_order(
    Device* device, Queue* queue, Ledger* ledger, QuantumMemory memory, const uint8_t* frame
) noexcept nogil:
    cdef uint8_t[LARGEST_FRAME_BYTES] answer
    cdef const uint8_t* body = frame + 18
    cdef uint8_t link = frame[16]
    cdef uint32_t label = get_bits(body + 4, 4) >> 12
    cdef uint8_t status = LINK_UNKNOWN_LABEL
    cdef Request* request = request_for(device, link, label)
    cdef double polar, azimuth
    cdef int i
    if request != NULL and body[8] <= RECEIVER:
        status = LINK_IDLE
        if request.teleport.role == RECEIVER:
            abandon(device, queue, ledger, memory, link, label)
        polar = 2 * M_PI * get_bits(body + 12, 4) / FULL_TURN
        azimuth = 2 * M_PI * get_bits(body + 16, 4) / FULL_TURN
        request.teleport.role = body[8]
        request.teleport.transaction = get_bits(body, 4)
        request.teleport.left = get_bits(body + 10, 2)
        request.teleport.axis.data[0] = sin(polar) * cos(azimuth)
        request.teleport.axis.data[1] = sin(polar) * sin(azimuth)
        request.teleport.axis.data[2] = cos(polar)
    memset(answer, 0, LARGEST_FRAME_BYTES)
    put_header(answer, 0, FRAME_TELEPORT_ANSWER, link, 0)
    for i in range(TELEPORT_ORDER_BYTES - 4):
        answer[18 + i] = body[i]
    answer[18 + 9] = status
    device_send(device, queue, answer, TELEPORT_ORDER_BYTES)


cdef void send_result(
    Device* device, Queue* queue, Slot* slot, uint8_t role, uint8_t bits, uint8_t outcome
) noexcept nogil:
    cdef uint8_t[LARGEST_FRAME_BYTES] frame
    cdef uint8_t* body = &frame[18]
    memset(frame, 0, LARGEST_FRAME_BYTES)
    put_header(frame, 0, FRAME_TELEPORT_RESULT, slot.link, bits)
    put_bits(body, 4, slot.order)
    put_bits(body + 4, 4, <uint64_t>slot.label << 12)
    put_bits(body + 8, 4, slot.other_seq if slot.corrected else slot.seq)  # at the head-end
    body[12] = role
    body[13] = outcome << 7
    put_bits(body + 16, 8, <uint64_t>queue.now_ps)
    device_send(device, queue, frame, TELEPORT_RESULT_BYTES)


cdef bint teleport_takes(
    Device* device, Queue* queue, Slot* slot, QubitFrame* command
) noexcept nogil:
    cdef Request* request = request_for(device, slot.link, slot.label)
    if request == NULL or request.teleport.role == NO_PART:
        return False
    slot.order = request.teleport.transaction
    slot.corrected = command.flags & CORRECT != 0
    slot.other_seq = command.seq2
    slot.axis = request.teleport.axis
    slot.voided = False
    if request.teleport.role == RECEIVER:
        slot.state = AWAITING
        return True
    slot.state = TELEPORTING
    if request.teleport.left > 0:
        request.teleport.left -= 1
        if request.teleport.left == 0:
            request.teleport.role = NO_PART
    queue_push(
        queue, time_sum(queue.now_ps, device.swap_time_ps), TELEPORT_DONE, device.node,
        command.slot, NULL,
    )
    return True


cdef void teleport_done(
    Device* device, Queue* queue, Ledger* ledger, QuantumMemory memory, int64_t slot
) noexcept nogil:
    cdef Slot* s = &device.slots[slot]
    cdef Expiry bits
    if s.voided:
        device_discard(device, queue, ledger, memory, slot)
        return
    if not chance(ledger.sites[device.node].stream, device.swap_success):
        device.counters[TELEPORTS_FAILED] += 1
        device_lose(device, queue, ledger, memory, s)
        return
    device.counters[TELEPORTED] += 1
    memset(&bits, 0, sizeof(Expiry))
    bits.type = FRAME_TELEPORTED
    bits.bell = ledger_teleport(ledger, memory, queue.now_ps, s.half, s.axis.data)
    bits.slot = slot
    bits.generation = s.generation
    bits.link = s.link
    bits.label = s.label
    bits.seq = s.seq
    bits.expired_ps = queue.now_ps
    bits.retry_ps = s.retry_ps
    send_result(device, queue, s, SENDER, bits.bell, 0)
    device_vacate(device, queue, s)
    device_pair_begins(device, s.link, s.seq)  # messages about it are under way until confirmed
    device_announce(device, queue, &bits)


cdef int32_t taken(Device* device, QubitFrame* command) noexcept nogil:
    """The slot of that very pair if an order took it, or -1. A VOID does not always know the slot."""
    cdef Slot* slot
    cdef int32_t i
    for i in range(device.slot_count):
        slot = &device.slots[i]
        if (
            (slot.state == AWAITING or slot.state == TELEPORTING) and slot.link == command.link
            and slot.seq == command.seq and slot.label == command.label
        ):
            return i
    return -1


cdef bint teleport_void(
    Device* device, Queue* queue, Ledger* ledger, QuantumMemory memory, QubitFrame* command
) noexcept nogil:
    cdef int32_t slot = taken(device, command)
    if slot < 0:
        return False
    device.counters[VOIDS] += 1
    if device.slots[slot].state == TELEPORTING:
        device.slots[slot].voided = True  # once the measurement is done
    else:
        device_discard(device, queue, ledger, memory, slot)
    return True


cdef void teleport_apply_correction(
    Device* device, Queue* queue, Ledger* ledger, QuantumMemory memory, QubitFrame* command
) noexcept nogil:
    cdef int32_t index = taken(device, command)
    cdef Slot* slot
    cdef int bit
    if index < 0 or device.slots[index].state != AWAITING:
        device.counters[UNKNOWN_CORRECTIONS] += 1
        return
    slot = &device.slots[index]
    device.counters[CORRECTIONS] += 1
    ledger_pauli(ledger, memory, queue.now_ps, slot.half, command.bell)
    bit = ledger_measure(ledger, memory, queue.now_ps, slot.half, slot.axis.data)
    send_result(device, queue, slot, RECEIVER, command.bell, bit)
    device_vacate(device, queue, slot)
