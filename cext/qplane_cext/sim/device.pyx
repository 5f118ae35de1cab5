"""The quantum device of a node; see device.pxd and docs/wire.md.

A command is obeyed only when its handle (slot and generation), link, label and pair sequence number
all name one qubit in memory; anything else is counted as stale and changes nothing, but for SWAP,
whose other qubit would be of no use: it is discarded and SWAP_FAILED reported.
"""

from libc.stdint cimport INT64_MAX
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memset

from qplane_cext.sim.events cimport (
    ARRIVE, CUTOFF, LINK_WAKE, MHP_WAKE, RETRY, SWAP_DONE, Packet, packet_new, queue_push, time_sum
)
from qplane_cext.sim.frames cimport (
    ANNOUNCE, ETHERNET_BYTES, FRAME_EXPIRE_CONFIRMED, FRAME_EXPIRED, FRAME_PAIR,
    FRAME_SWAP_FAILED, FRAME_SWAPPED, FRAME_TELEPORTED, LARGEST_FRAME_BYTES, QUBIT_FRAME_BYTES,
    QubitFrame, write_qubit
)
from qplane_cext.sim.keymap cimport (
    keymap_free, keymap_get, keymap_init, keymap_remove, keymap_set
)
from qplane_cext.sim.ledger cimport NOTHING, ledger_lose, ledger_swap
from qplane_cext.sim.streams cimport chance


cdef int device_init(Device* device, int32_t slots) noexcept nogil:
    """0, or -1 where the machine has no memory."""
    cdef int i
    memset(device, 0, sizeof(Device))
    keymap_init(&device.unconfirmed)
    keymap_init(&device.early)
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
            free(device.links[i].over_ps)
    free(device.links)
    free(device.slots)
    free(device.expiries)
    free(device.earlies)
    free(device.moves)
    free(device.held)
    free(device.answered)
    keymap_free(&device.unconfirmed)
    keymap_free(&device.early)
    memset(device, 0, sizeof(Device))


# ---- frames out ----

cdef void device_send(
    Device* device, Queue* queue, const uint8_t* frame, uint32_t behind_ethernet
) noexcept nogil:
    cdef Packet* packet = packet_new(queue, frame, ETHERNET_BYTES + behind_ethernet)
    if packet != NULL:
        queue_push(queue, queue.now_ps, ARRIVE, device.node, device.quantum_port, packet)


cdef void device_send_event(Device* device, Queue* queue, QubitFrame* fields) noexcept nogil:
    cdef uint8_t[LARGEST_FRAME_BYTES] frame
    fields.time_ps = queue.now_ps
    memset(frame, 0, LARGEST_FRAME_BYTES)
    write_qubit(frame, fields)
    device_send(device, queue, frame, QUBIT_FRAME_BYTES)


cdef void send_expired(Device* device, Queue* queue, const Expiry* expiry) noexcept nogil:
    cdef QubitFrame event
    cdef uint8_t[LARGEST_FRAME_BYTES] frame
    memset(&event, 0, sizeof(QubitFrame))
    event.type = expiry.type
    event.bell = expiry.bell
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

cdef Slot* device_held(
    Device* device, uint16_t slot, uint16_t generation, uint8_t link, uint32_t seq
) noexcept nogil:
    cdef Slot* s
    if slot >= device.slot_count:
        return NULL
    s = &device.slots[slot]
    if s.state != HELD or s.generation != generation or s.link != link or s.seq != seq:
        return NULL
    return s


cdef void device_vacate(Device* device, Queue* queue, Slot* slot) noexcept nogil:
    if slot.half >= 0:
        device_pair_ends(device, slot.link, slot.seq, queue.now_ps)
    slot.state = FREE
    device_wake_links(device, queue)


cdef DeviceLink* device_fibre(Device* device, uint8_t link) noexcept nogil:
    if device.links[link].quantum_link < 0 and DISTILLED_LINKS <= link < 2 * DISTILLED_LINKS:
        return &device.links[link - DISTILLED_LINKS]
    return &device.links[link]


cdef void device_wake_links(Device* device, Queue* queue) noexcept nogil:
    cdef DeviceLink* link
    cdef int32_t i
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
    device_vacate(device, queue, slot)


# ---- commands from the switch ----

cdef void swap_failed(Device* device, Queue* queue, QubitFrame* fields) noexcept nogil:
    fields.type = FRAME_SWAP_FAILED
    fields.bell = 0
    fields.flags = 0
    device_send_event(device, queue, fields)


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
    cdef Slot* a = device_held(device, command.slot, command.generation, command.link, command.seq)
    cdef Slot* b = device_held(device, command.slot2, command.generation2, command.link2, command.seq2)
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
    device_vacate(device, queue, a)
    device_vacate(device, queue, b)
    event.type = FRAME_SWAPPED
    event.bell = outcome
    device_send_event(device, queue, &event)


# ---- cut-off, release, and the expiries that an end node repeats ----

cdef uint64_t pair_key(uint8_t link, uint32_t seq) noexcept nogil:
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


cdef void device_announce(Device* device, Queue* queue, const Expiry* what) noexcept nogil:
    cdef int32_t index = new_expiry(device, queue)
    cdef Expiry* expiry
    cdef uint32_t stamp
    if index < 0 or not keymap_set(&device.unconfirmed, pair_key(what.link, what.seq), index):
        queue.out_of_memory = True
        return
    expiry = &device.expiries[index]
    stamp = (expiry.stamp + 1) & 0x7FFFFFFF
    expiry[0] = what[0]
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
    cdef Expiry lost
    memset(&lost, 0, sizeof(Expiry))
    lost.type = FRAME_EXPIRED
    lost.slot = slot - device.slots
    lost.generation = slot.generation
    lost.link = slot.link
    lost.label = slot.label
    lost.seq = slot.seq
    lost.expired_ps = queue.now_ps
    lost.retry_ps = slot.retry_ps
    discard(device, queue, ledger, memory, slot)
    if repeat:
        device_announce(device, queue, &lost)
    else:
        send_expired(device, queue, &lost)


cdef void device_lose(
    Device* device, Queue* queue, Ledger* ledger, QuantumMemory memory, Slot* slot
) noexcept nogil:
    expire(device, queue, ledger, memory, slot, True)


cdef void device_cutoff(
    Device* device, Queue* queue, Ledger* ledger, QuantumMemory memory, int64_t value
) noexcept nogil:
    cdef Slot* slot = &device.slots[value & 0xFFFF]
    device.counters[EXPIRED] += 1
    expire(device, queue, ledger, memory, slot, slot.end)


cdef bint device_cutoff_void(Device* device, int64_t value) noexcept nogil:
    cdef Slot* slot = &device.slots[value & 0xFFFF]
    return (slot.state != HELD and slot.state != AWAITING) or slot.generation != (value >> 16 & 0xFFFF)


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
    cdef Slot* slot = device_held(device, command.slot, command.generation, command.link, command.seq)
    if slot == NULL or slot.label != command.label:
        device.counters[STALE_RELEASES] += 1
        return
    device.counters[RELEASES] += 1
    if command.flags & ANNOUNCE:
        device.counters[RELEASES_ANNOUNCED] += 1
        expire(device, queue, ledger, memory, slot, True)
    else:
        discard(device, queue, ledger, memory, slot)


cdef void withdraw(Device* device, Queue* queue, int32_t index) noexcept nogil:
    cdef Expiry* expiry = &device.expiries[index]
    if expiry.type == FRAME_TELEPORTED:
        device_pair_ends(device, expiry.link, expiry.seq, queue.now_ps)
        device_wake_links(device, queue)
    expiry.used = False
    keymap_remove(&device.unconfirmed, pair_key(expiry.link, expiry.seq))


cdef void device_confirmed(Device* device, Queue* queue, QubitFrame* command) noexcept nogil:
    cdef bint expiry = command.type == FRAME_EXPIRE_CONFIRMED
    cdef int32_t index = keymap_get(&device.unconfirmed, pair_key(command.link, command.seq))
    if index < 0 or (device.expiries[index].type == FRAME_EXPIRED) != expiry:
        device.counters[STALE_CONFIRMS] += 1
        return
    device.counters[EXPIRES_CONFIRMED if expiry else TELEPORTS_CONFIRMED] += 1
    withdraw(device, queue, index)


cdef void device_withdraw(Device* device, Queue* queue, QubitFrame* command) noexcept nogil:
    cdef int32_t index = keymap_get(&device.unconfirmed, pair_key(command.link, command.seq))
    if index >= 0:
        withdraw(device, queue, index)


# ---- for the quantum link ----

cdef bint device_pair_begins(Device* device, uint8_t link, uint32_t seq) noexcept nogil:
    cdef DeviceLink* l = device_fibre(device, link)
    if l.over_ps == NULL:
        l.over_ps = <int64_t*>calloc(PAIRS_PER_LINK, sizeof(int64_t))
        if l.over_ps == NULL:
            return False
    l.over_ps[seq & (PAIRS_PER_LINK - 1)] = INT64_MAX
    return True


cdef int64_t device_pair_over(Device* device, uint8_t link, uint32_t seq) noexcept nogil:
    cdef DeviceLink* l = &device.links[link]
    if l.over_ps == NULL:
        return 0
    return time_sum(l.over_ps[seq & (PAIRS_PER_LINK - 1)], l.linger_ps)


cdef void device_pair_ends(
    Device* device, uint8_t link, uint32_t seq, int64_t now_ps
) noexcept nogil:
    cdef DeviceLink* l = device_fibre(device, link)
    if l.over_ps != NULL:
        l.over_ps[seq & (PAIRS_PER_LINK - 1)] = now_ps



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
    s.fed_by = 0
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
    device_vacate(device, queue, &device.slots[slot])


cdef void device_heralded(
    Device* device, Queue* queue, int32_t slot, int64_t emitted_ps
) noexcept nogil:
    """The herald is here: report the pair; seq, bell and half of the slot are set."""
    device.counters[PAIRS] += 1
    report_pair(device, queue, slot, emitted_ps)


cdef void device_feed(
    Device* device, Queue* queue, int32_t slot, uint32_t label, const Request* to
) noexcept nogil:
    cdef Slot* s = &device.slots[slot]
    device.counters[FED] += 1
    s.generation += 1  # what was said of it to the circuit that distilled it is over
    s.fed_by = s.label
    s.link += DISTILLED_LINKS
    s.label = label
    s.bell = 0
    s.rounds = to.rounds
    s.end = to.end
    s.cutoff_ps = to.cutoff_ps
    s.retry_ps = to.retry_ps
    report_pair(device, queue, slot, queue.now_ps)


cdef void report_pair(
    Device* device, Queue* queue, int32_t slot, int64_t since_ps
) noexcept nogil:
    cdef Slot* s = &device.slots[slot]
    cdef QubitFrame event
    s.state = HELD
    s.since_ps = since_ps
    device.links[s.link].last_seq = s.seq
    memset(&event, 0, sizeof(QubitFrame))
    event.type = FRAME_PAIR
    event.link = s.link
    event.bell = s.bell
    event.label = s.label
    event.seq = s.seq
    event.slot = slot
    event.generation = s.generation
    device_send_event(device, queue, &event)
    if s.cutoff_ps > 0:
        queue_push(
            queue, time_sum(since_ps, s.cutoff_ps), CUTOFF, device.node,
            slot | <int64_t>s.generation << 16, NULL,
        )
