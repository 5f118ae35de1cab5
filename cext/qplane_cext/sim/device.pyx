"""The quantum device of a node; see device.pxd and docs/wire.md.

A command is obeyed only when its handle (slot and generation), link, label and pair sequence number
all name one qubit in memory; anything else is counted as stale and changes nothing, but for SWAP,
whose other qubit would be of no use: it is discarded and SWAP_FAILED reported.
"""

from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memset

from qplane_cext.sim.events cimport (
    ARRIVE, CUTOFF, LINK_WAKE, MHP_WAKE, RETRY, SWAP_DONE, Packet, packet_new, queue_push, time_sum
)
from qplane_cext.sim.frames cimport (
    ANNOUNCE, CORRECT, ETHERNET_BYTES, FRAME_DELIVERED, FRAME_EXPIRED, FRAME_PAIR,
    FRAME_SWAP_FAILED, FRAME_SWAPPED, LARGEST_FRAME_BYTES, MEASURE, MEASURED, QUBIT_FRAME_BYTES,
    REPORT, QubitFrame, write_qubit
)
from qplane_cext.sim.keymap cimport (
    keymap_free, keymap_get, keymap_init, keymap_remove, keymap_set
)
from qplane_cext.sim.ledger cimport (
    NOTHING, VOID_AFTER_COMPLETE, VOID_UNKNOWN, VoidResult, half_at, ledger_correct, ledger_deliver,
    ledger_is_complete, ledger_lose, ledger_swap, ledger_void
)
from qplane_cext.sim.streams cimport chance


cdef int device_init(Device* device, int32_t slots) noexcept nogil:
    """0, or -1 where the machine has no memory."""
    cdef int i
    memset(device, 0, sizeof(Device))
    keymap_init(&device.unconfirmed)
    device.slot_count = slots
    device.slots = <Slot*>calloc(max(slots, 1), sizeof(Slot))
    device.links = <DeviceLink*>calloc(256, sizeof(DeviceLink))
    if device.slots == NULL or device.links == NULL:
        return -1
    for i in range(256):
        device.links[i].quantum_link = -1
    return 0


cdef void device_free(Device* device) noexcept nogil:
    cdef int i
    if device.links != NULL:
        for i in range(256):
            free(device.links[i].requests)
    free(device.links)
    free(device.slots)
    free(device.expiries)
    free(device.moves)
    free(device.held)
    free(device.answered)
    keymap_free(&device.unconfirmed)
    memset(device, 0, sizeof(Device))


# ---- frames out ----

cdef void device_send(
    Device* device, Queue* queue, const uint8_t* frame, uint32_t behind_ethernet
) noexcept nogil:
    cdef Packet* packet = packet_new(queue, frame, ETHERNET_BYTES + behind_ethernet)
    if packet != NULL:
        queue_push(queue, queue.now_ps, ARRIVE, device.node, device.quantum_port, packet)


cdef void send_event(Device* device, Queue* queue, QubitFrame* fields) noexcept nogil:
    cdef uint8_t[LARGEST_FRAME_BYTES] frame
    fields.time_ps = queue.now_ps
    memset(frame, 0, LARGEST_FRAME_BYTES)
    write_qubit(frame, fields)
    device_send(device, queue, frame, QUBIT_FRAME_BYTES)


cdef void send_expired(Device* device, Queue* queue, Expiry* expiry) noexcept nogil:
    cdef QubitFrame event
    cdef uint8_t[LARGEST_FRAME_BYTES] frame
    memset(&event, 0, sizeof(QubitFrame))
    event.type = FRAME_EXPIRED
    event.link = expiry.link
    event.label = expiry.label
    event.seq = expiry.seq
    event.slot = expiry.slot
    event.generation = expiry.generation
    event.time_ps = expiry.expired_ps
    memset(frame, 0, LARGEST_FRAME_BYTES)
    write_qubit(frame, &event)
    device_send(device, queue, frame, QUBIT_FRAME_BYTES)


# ---- slots ----

cdef Slot* held(
    Device* device, uint16_t slot, uint16_t generation, uint8_t link, uint32_t seq
) noexcept nogil:
    """The slot where that very qubit is in memory, or NULL."""
    cdef Slot* s
    if slot >= device.slot_count:
        return NULL
    s = &device.slots[slot]
    if s.state != HELD or s.generation != generation or s.link != link or s.seq != seq:
        return NULL
    return s


cdef void vacate(Device* device, Queue* queue, Slot* slot) noexcept nogil:
    """Free a slot, and tell the links that wait for one: circuits may share slots across links."""
    cdef DeviceLink* link
    cdef int32_t i
    slot.state = FREE
    for i in range(device.link_count):
        link = &device.links[device.link_numbers[i]]
        if link.blocked:
            link.blocked = False
            queue_push(queue, queue.now_ps, LINK_WAKE, link.quantum_link, 0, NULL)
        if link.mhp_waits:
            link.mhp_waits = False
            queue_push(queue, queue.now_ps, MHP_WAKE, link.quantum_link, 0, NULL)


cdef void discard(
    Device* device, Queue* queue, Ledger* ledger, QuantumMemory memory, Slot* slot
) noexcept nogil:
    ledger_lose(ledger, memory, slot.half)
    vacate(device, queue, slot)


# ---- commands from the switch ----

cdef void swap_failed(Device* device, Queue* queue, QubitFrame* fields) noexcept nogil:
    fields.type = FRAME_SWAP_FAILED
    fields.bell = 0
    fields.flags = 0
    send_event(device, queue, fields)


cdef bint in_swap(Device* device, QubitFrame* command) noexcept nogil:
    """The command repeats one that is being done."""
    cdef Slot* a
    cdef Slot* b
    if command.slot >= device.slot_count or command.slot2 >= device.slot_count:
        return False
    a = &device.slots[command.slot]
    b = &device.slots[command.slot2]
    return (
        a.state == SWAPPING and a.generation == command.generation
        and b.state == SWAPPING and b.generation == command.generation2
    )


cdef void device_swap(
    Device* device, Queue* queue, Ledger* ledger, QuantumMemory memory, QubitFrame* command
) noexcept nogil:
    cdef Slot* a = held(device, command.slot, command.generation, command.link, command.seq)
    cdef Slot* b = held(device, command.slot2, command.generation2, command.link2, command.seq2)
    if a != NULL and a.label != command.label:
        a = NULL
    if a != NULL and b != NULL and a != b:
        a.state = SWAPPING
        b.state = SWAPPING
        queue_push(
            queue, time_sum(queue.now_ps, device.swap_time_ps), SWAP_DONE, device.node,
            command.slot | <int64_t>command.slot2 << 16, NULL,
        )
        return
    if in_swap(device, command):
        device.counters[REPEATED_SWAPS] += 1
        return
    device.counters[STALE_SWAPS] += 1
    if a != NULL:
        discard(device, queue, ledger, memory, a)
    if b != NULL and a != b:
        discard(device, queue, ledger, memory, b)
    swap_failed(device, queue, command)


cdef void device_swap_done(
    Device* device, Queue* queue, Ledger* ledger, QuantumMemory memory, int64_t slots
) noexcept nogil:
    cdef Slot* a = &device.slots[slots & 0xFFFF]
    cdef Slot* b = &device.slots[slots >> 16 & 0xFFFF]
    cdef QubitFrame event
    cdef int outcome = NOTHING
    memset(&event, 0, sizeof(QubitFrame))
    event.link = a.link
    event.label = a.label
    event.seq = a.seq
    event.slot = slots & 0xFFFF
    event.generation = a.generation
    event.link2 = b.link
    event.seq2 = b.seq
    event.slot2 = slots >> 16 & 0xFFFF
    event.generation2 = b.generation
    if chance(ledger.sites[device.node].stream, device.swap_success):
        outcome = ledger_swap(ledger, memory, queue.now_ps, a.half, b.half)
    if outcome == NOTHING:
        device.counters[SWAPS_WITHOUT_OUTCOME] += 1
        discard(device, queue, ledger, memory, a)
        discard(device, queue, ledger, memory, b)
        swap_failed(device, queue, &event)
        return
    device.counters[SWAPS] += 1
    vacate(device, queue, a)
    vacate(device, queue, b)
    event.type = FRAME_SWAPPED
    event.bell = outcome
    send_event(device, queue, &event)


cdef void device_deliver(
    Device* device, Queue* queue, Ledger* ledger, QuantumMemory memory, QubitFrame* command
) noexcept nogil:
    cdef Slot* slot = held(device, command.slot, command.generation, command.link, command.seq)
    cdef bint measure = command.flags & MEASURE != 0
    cdef int read
    if slot == NULL or slot.label != command.label:
        device.counters[STALE_DELIVERS] += 1
        return
    device.counters[DELIVERS] += 1
    device.counters[MEASURES] += measure
    ledger_correct(
        ledger, memory, queue.now_ps, slot.half, command.bell, command.flags & CORRECT != 0,
        command.seq2,
    )
    read = ledger_deliver(ledger, memory, queue.now_ps, slot.half, measure)
    vacate(device, queue, slot)
    if command.flags & REPORT:
        command.type = FRAME_DELIVERED
        command.flags = MEASURED if measure else 0
        command.bell = read if measure else 0
        send_event(device, queue, command)


cdef void device_completed(Device* device, Ledger* ledger, QubitFrame* command) noexcept nogil:
    if ledger_is_complete(ledger, device.node, command.link, command.seq):
        device.counters[COMPLETED] += 1
    else:
        device.counters[UNKNOWN_COMPLETED] += 1


cdef void device_void(
    Device* device, Ledger* ledger, QuantumMemory memory, QubitFrame* command
) noexcept nogil:
    cdef VoidResult result = ledger_void(
        ledger, memory, device.node, command.link, command.seq
    )
    if result == VOID_UNKNOWN:
        device.counters[UNKNOWN_VOIDS] += 1
    elif result == VOID_AFTER_COMPLETE:
        device.counters[VOIDS_AFTER_COMPLETE] += 1
    else:
        device.counters[VOIDS] += 1


# ---- cut-off, release, and the expiries that an end node repeats ----

cdef inline uint64_t expiry_key(uint8_t link, uint32_t seq) noexcept nogil:
    return <uint64_t>link << 32 | seq


cdef int32_t new_expiry(Device* device, Queue* queue) noexcept nogil:
    cdef int32_t i, wider
    cdef Expiry* expiries
    for i in range(device.expiry_count):
        if not device.expiries[i].used:
            return i
    if device.expiry_count == device.expiry_capacity:
        wider = 2 * device.expiry_capacity if device.expiry_capacity else 16
        expiries = <Expiry*>realloc(device.expiries, wider * sizeof(Expiry))
        if expiries == NULL:
            queue.out_of_memory = True
            return -1
        device.expiries = expiries
        device.expiry_capacity = wider
    device.expiry_count += 1
    memset(&device.expiries[device.expiry_count - 1], 0, sizeof(Expiry))
    return device.expiry_count - 1


cdef void report_expiry(
    Device* device, Queue* queue, Expiry* fields, bint repeat
) noexcept nogil:
    """EXPIRED: once, or until it is confirmed."""
    cdef Expiry* expiry = fields
    cdef int32_t index
    cdef uint32_t stamp
    fields.expired_ps = queue.now_ps
    if repeat:
        index = new_expiry(device, queue)
        if index < 0 or not keymap_set(
            &device.unconfirmed, expiry_key(fields.link, fields.seq), index
        ):
            queue.out_of_memory = True
            return
        expiry = &device.expiries[index]
        stamp = (expiry.stamp + 1) & 0x7FFFFFFF
        expiry[0] = fields[0]
        expiry.used = True
        expiry.stamp = stamp
        if expiry.retry_ps > 0:
            queue_push(
                queue, time_sum(queue.now_ps, expiry.retry_ps), RETRY, device.node,
                index | <int64_t>stamp << 32, NULL,
            )
    send_expired(device, queue, expiry)


cdef void expire(
    Device* device, Queue* queue, Ledger* ledger, QuantumMemory memory, Slot* slot, bint repeat
) noexcept nogil:
    """Discard a qubit and report it as EXPIRED: once, or until it is confirmed."""
    cdef Expiry fields
    memset(&fields, 0, sizeof(Expiry))
    fields.slot = slot - device.slots
    fields.generation = slot.generation
    fields.link = slot.link
    fields.label = slot.label
    fields.seq = slot.seq
    fields.retry_ps = slot.retry_ps
    discard(device, queue, ledger, memory, slot)
    report_expiry(device, queue, &fields, repeat)


cdef void announce(
    Device* device, Queue* queue, uint8_t link, uint32_t label, uint32_t seq, int64_t retry_ps
) noexcept nogil:
    cdef Expiry fields
    memset(&fields, 0, sizeof(Expiry))
    fields.link = link
    fields.label = label
    fields.seq = seq
    fields.retry_ps = retry_ps
    report_expiry(device, queue, &fields, True)


cdef void device_cutoff(
    Device* device, Queue* queue, Ledger* ledger, QuantumMemory memory, int64_t value
) noexcept nogil:
    cdef Slot* slot = &device.slots[value & 0xFFFF]
    device.counters[EXPIRED] += 1
    expire(device, queue, ledger, memory, slot, slot.end)


cdef bint device_cutoff_void(Device* device, int64_t value) noexcept nogil:
    cdef Slot* slot = &device.slots[value & 0xFFFF]
    return slot.state != HELD or slot.generation != (value >> 16 & 0xFFFF)


cdef bint device_retry_void(Device* device, int64_t value) noexcept nogil:
    cdef Expiry* expiry = &device.expiries[<uint32_t>value]
    return not expiry.used or expiry.stamp != value >> 32


cdef void device_retry(Device* device, Queue* queue, int64_t value) noexcept nogil:
    cdef Expiry* expiry = &device.expiries[<uint32_t>value]
    device.counters[EXPIRED_REPEATED] += 1
    send_expired(device, queue, expiry)
    queue_push(
        queue, time_sum(queue.now_ps, expiry.retry_ps), RETRY, device.node, value, NULL
    )


cdef void device_release(
    Device* device, Queue* queue, Ledger* ledger, QuantumMemory memory, QubitFrame* command
) noexcept nogil:
    cdef Slot* slot = held(device, command.slot, command.generation, command.link, command.seq)
    if slot == NULL or slot.label != command.label:
        device.counters[STALE_RELEASES] += 1
        return
    device.counters[RELEASES] += 1
    if command.flags & ANNOUNCE:
        device.counters[RELEASES_ANNOUNCED] += 1
        expire(device, queue, ledger, memory, slot, True)
    else:
        discard(device, queue, ledger, memory, slot)


cdef void device_expire_confirmed(Device* device, QubitFrame* command) noexcept nogil:
    cdef uint64_t key = expiry_key(command.link, command.seq)
    cdef int32_t index = keymap_get(&device.unconfirmed, key)
    if index < 0:
        device.counters[STALE_CONFIRMS] += 1
        return
    device.counters[EXPIRES_CONFIRMED] += 1
    device.expiries[index].used = False
    keymap_remove(&device.unconfirmed, key)


# ---- for the quantum link ----

cdef int32_t device_free_slot(Device* device, Request* request) noexcept nogil:
    cdef int32_t i, slot
    for i in range(request.slot_count):
        slot = request.slot_first + (request.next_slot + i) % request.slot_count
        if device.slots[slot].state == FREE:
            return slot
    return -1


cdef void device_reserve(
    Device* device, int32_t slot, uint8_t link, Request* request
) noexcept nogil:
    cdef Slot* s = &device.slots[slot]
    s.state = RESERVED
    s.generation += 1
    s.link = link
    s.label = request.label
    s.half = -1
    s.held = -1
    s.rounds = request.rounds
    s.end = request.end
    s.cutoff_ps = request.cutoff_ps
    s.retry_ps = request.retry_ps
    request.next_slot = (slot - request.slot_first + 1) % request.slot_count


cdef void device_discard(
    Device* device, Queue* queue, Ledger* ledger, QuantumMemory memory, int32_t slot
) noexcept nogil:
    discard(device, queue, ledger, memory, &device.slots[slot])


cdef void device_unreserve(Device* device, Queue* queue, int32_t slot) noexcept nogil:
    vacate(device, queue, &device.slots[slot])


cdef void device_heralded(
    Device* device, Queue* queue, int32_t slot, int64_t emitted_ps
) noexcept nogil:
    """The herald is here: report the pair; seq, bell and half of the slot are set."""
    cdef Slot* s = &device.slots[slot]
    cdef QubitFrame event
    s.state = HELD
    device.counters[PAIRS] += 1
    memset(&event, 0, sizeof(QubitFrame))
    event.type = FRAME_PAIR
    event.link = s.link
    event.bell = s.bell
    event.label = s.label
    event.seq = s.seq
    event.slot = slot
    event.generation = s.generation
    send_event(device, queue, &event)
    if s.cutoff_ps > 0:
        queue_push(
            queue, time_sum(emitted_ps, s.cutoff_ps), CUTOFF, device.node,
            slot | <int64_t>s.generation << 16, NULL,
        )
