"""The quantum device of a node; see device.pxd and docs/wire.md.

A command is obeyed only when its handle (slot and generation), link, label and pair sequence number
all name one qubit in memory; anything else is counted as stale and changes nothing, but for SWAP,
whose other qubit would be of no use: it is discarded and SWAP_FAILED reported.
"""

from libc.math cimport isinf, rint
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memset

from qplane_cext.sim.events cimport (
    ARRIVE, CUTOFF, LINK_WAKE, RETRY, SWAP_DONE, packet_new, queue_push, time_sum
)
from qplane_cext.sim.frames cimport *
from qplane_cext.sim.keymap cimport (
    keymap_free, keymap_get, keymap_init, keymap_remove, keymap_set
)
from qplane_cext.sim.ledger cimport (
    NOTHING, VOID_AFTER_COMPLETE, VOID_UNKNOWN, VoidResult, half_at, ledger_deliver, ledger_lose,
    ledger_swap, ledger_void
)
from qplane_cext.sim.streams cimport chance

cdef double ALL_ONES = 4294967295.0  # 2^32 - 1 stands for probability 1


cdef int device_init(Device* device, int32_t slots) noexcept nogil:
    """0, or -1 where the machine has no memory."""
    cdef int i
    memset(device, 0, sizeof(Device))
    keymap_init(&device.unconfirmed)
    device.slot_count = slots
    device.slots = <Slot*>calloc(slots, sizeof(Slot))
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
    keymap_free(&device.unconfirmed)
    memset(device, 0, sizeof(Device))


# ---- frames out ----

cdef void send_frame(
    Device* device, Queue* queue, const uint8_t* frame, uint32_t behind_ethernet
) noexcept nogil:
    cdef Packet* packet = packet_new(queue, frame, ETHERNET_BYTES + behind_ethernet)
    if packet != NULL:
        queue_push(queue, queue.now_ps, ARRIVE, device.node, device.quantum_port, packet)


cdef void send_event(Device* device, Queue* queue, QubitFrame* fields) noexcept nogil:
    cdef uint8_t[LARGEST_FRAME_BYTES] frame
    fields.flags = 0
    fields.time_ps = queue.now_ps
    memset(frame, 0, LARGEST_FRAME_BYTES)
    write_qubit(frame, fields)
    send_frame(device, queue, frame, QUBIT_FRAME_BYTES)


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
    send_frame(device, queue, frame, QUBIT_FRAME_BYTES)


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


cdef void wake(Device* device, Queue* queue, uint8_t link) noexcept nogil:
    cdef DeviceLink* l = &device.links[link]
    if l.blocked:
        l.blocked = False
        queue_push(queue, queue.now_ps, LINK_WAKE, l.quantum_link, 0, NULL)


cdef void vacate(Device* device, Queue* queue, Slot* slot) noexcept nogil:
    slot.state = FREE
    wake(device, queue, slot.link)


cdef void discard(
    Device* device, Queue* queue, Ledger* ledger, QuantumMemory memory, Slot* slot
) noexcept nogil:
    ledger_lose(ledger, memory, slot.half)
    vacate(device, queue, slot)


# ---- commands from the switch ----

cdef void swap_failed(Device* device, Queue* queue, QubitFrame* fields) noexcept nogil:
    fields.type = FRAME_SWAP_FAILED
    fields.bell = 0
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


cdef void on_swap(
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


cdef void on_deliver(
    Device* device, Queue* queue, Ledger* ledger, QuantumMemory memory, QubitFrame* command
) noexcept nogil:
    cdef Slot* slot = held(device, command.slot, command.generation, command.link, command.seq)
    if slot == NULL or slot.label != command.label:
        device.counters[STALE_DELIVERS] += 1
        return
    device.counters[DELIVERS] += 1
    ledger_deliver(
        ledger, memory, queue.now_ps, slot.half, command.bell, command.flags & CORRECT != 0,
        command.seq2,
    )
    vacate(device, queue, slot)


cdef void on_void(
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


cdef void expire(
    Device* device, Queue* queue, Ledger* ledger, QuantumMemory memory, Slot* slot, bint repeat
) noexcept nogil:
    """Discard a qubit and report it as EXPIRED: once, or until it is confirmed."""
    cdef Expiry once
    cdef Expiry* expiry = &once
    cdef int32_t index
    memset(&once, 0, sizeof(Expiry))
    if repeat:
        index = new_expiry(device, queue)
        if index < 0 or not keymap_set(
            &device.unconfirmed, expiry_key(slot.link, slot.seq), index
        ):
            queue.out_of_memory = True
            return
        expiry = &device.expiries[index]
        expiry.used = True
        expiry.stamp = (expiry.stamp + 1) & 0x7FFFFFFF
        if slot.retry_ps > 0:
            queue_push(
                queue, time_sum(queue.now_ps, slot.retry_ps), RETRY, device.node,
                index | <int64_t>expiry.stamp << 32, NULL,
            )
    expiry.slot = slot - device.slots
    expiry.generation = slot.generation
    expiry.link = slot.link
    expiry.label = slot.label
    expiry.seq = slot.seq
    expiry.expired_ps = queue.now_ps
    expiry.retry_ps = slot.retry_ps
    discard(device, queue, ledger, memory, slot)
    send_expired(device, queue, expiry)


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


cdef void on_release(
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


cdef void on_expire_confirmed(Device* device, QubitFrame* command) noexcept nogil:
    cdef uint64_t key = expiry_key(command.link, command.seq)
    cdef int32_t index = keymap_get(&device.unconfirmed, key)
    if index < 0:
        device.counters[STALE_CONFIRMS] += 1
        return
    device.counters[EXPIRES_CONFIRMED] += 1
    device.expiries[index].used = False
    keymap_remove(&device.unconfirmed, key)


# ---- features and link control ----

cdef uint64_t fraction(double probability) noexcept nogil:
    return <uint64_t>rint(probability * ALL_ONES)


cdef uint64_t picoseconds(double seconds) noexcept nogil:
    return 0 if isinf(seconds) else <uint64_t>rint(seconds * 1e12)


cdef void send_features(Device* device, Queue* queue, uint32_t transaction) noexcept nogil:
    cdef uint8_t[LARGEST_FRAME_BYTES] frame
    cdef uint8_t* body = &frame[18]
    cdef DeviceLink* link
    cdef int number
    memset(frame, 0, LARGEST_FRAME_BYTES)
    put_header(frame, 0, FRAME_DEVICE_FEATURES, WHOLE_DEVICE, 0)
    put_bits(body, 4, transaction)
    put_bits(body + 4, 4, device.node_id)
    put_bits(body + 8, 1, 1)
    put_bits(body + 9, 1, device.link_count)
    put_bits(body + 10, 2, device.slot_count)
    put_bits(body + 12, 8, picoseconds(device.t1_s))
    put_bits(body + 20, 8, picoseconds(device.t2_s))
    put_bits(body + 28, 8, device.swap_time_ps)
    put_bits(body + 36, 4, fraction(device.two_qubit_error))
    put_bits(body + 40, 4, fraction(device.readout_error))
    send_frame(device, queue, frame, DEVICE_FEATURES_BYTES)
    for number in range(WHOLE_DEVICE):
        link = &device.links[number]
        if link.quantum_link < 0:
            continue
        memset(frame, 0, LARGEST_FRAME_BYTES)
        put_header(frame, 0, FRAME_LINK_FEATURES, number, 0)
        put_bits(body, 4, transaction)
        put_bits(body + 4, 4, link.remote_node_id)
        put_bits(body + 8, 1, link.remote_link)
        put_bits(body + 9, 1, 1)
        put_bits(body + 12, 4, link.length_m)
        put_bits(body + 16, 8, link.attempt_ps)
        put_bits(body + 24, 4, fraction(link.success))
        put_bits(body + 28, 4, fraction(link.fidelity))
        put_bits(body + 32, 8, link.delay_ps)
        send_frame(device, queue, frame, LINK_FEATURES_BYTES)


cdef Request* device_request(Device* device, uint8_t link, uint32_t label) noexcept nogil:
    cdef DeviceLink* l = &device.links[link]
    cdef int32_t i
    for i in range(l.request_count):
        if l.requests[i].label == label:
            return &l.requests[i]
    return NULL


cdef Request* new_request(Device* device, Queue* queue, uint8_t link) noexcept nogil:
    cdef DeviceLink* l = &device.links[link]
    cdef Request* requests
    cdef int32_t wider
    if l.request_count == l.request_capacity:
        wider = 2 * l.request_capacity if l.request_capacity else 4
        requests = <Request*>realloc(l.requests, wider * sizeof(Request))
        if requests == NULL:
            queue.out_of_memory = True
            return NULL
        l.requests = requests
        l.request_capacity = wider
    l.request_count += 1
    memset(&l.requests[l.request_count - 1], 0, sizeof(Request))
    l.requests[l.request_count - 1].peer = -1
    return &l.requests[l.request_count - 1]


cdef void start(
    Device* device, Queue* queue, uint8_t flags, uint8_t link, LinkControl* control
) noexcept nogil:
    cdef Request* request = device_request(device, link, control.label)
    if request == NULL:
        request = new_request(device, queue, link)
        if request == NULL:
            return
        request.label = control.label
    request.active = True
    request.end = flags & END != 0
    request.slot_first = control.slot_first
    request.slot_count = control.slot_count
    request.next_slot = 0
    request.cutoff_ps = control.cutoff_ps
    request.retry_ps = control.retry_ps


cdef uint8_t status_of(
    Device* device, uint8_t frame_type, uint8_t link, LinkControl* control
) noexcept nogil:
    """Whether a control frame can be obeyed: LINK_IDLE, or what is wrong."""
    if link == WHOLE_DEVICE or device.links[link].quantum_link < 0:
        return LINK_REFUSED
    if frame_type == FRAME_LINK_START:
        if (
            control.slot_count == 0
            or control.slot_first + control.slot_count > device.slot_count
            or control.cutoff_ps < 0
            or control.retry_ps < 0
        ):
            return LINK_REFUSED
        return LINK_IDLE
    return LINK_IDLE if device_request(device, link, control.label) != NULL else LINK_UNKNOWN_LABEL


cdef void on_link_control(
    Device* device, Queue* queue, uint8_t flags, uint8_t frame_type, uint8_t link,
    LinkControl* control
) noexcept nogil:
    cdef uint8_t[LARGEST_FRAME_BYTES] frame
    cdef Request* request
    cdef int32_t i
    cdef uint32_t in_use = 0, unconfirmed = 0
    control.status = status_of(device, frame_type, link, control)
    if control.status == LINK_IDLE:
        if frame_type == FRAME_LINK_START:
            start(device, queue, flags, link, control)
        request = device_request(device, link, control.label)
        if request == NULL:
            return  # out of memory
        if frame_type == FRAME_LINK_STOP:
            request.active = False
        if frame_type != FRAME_LINK_STATUS_REQUEST:
            queue_push(
                queue, queue.now_ps, LINK_WAKE, device.links[link].quantum_link, 0, NULL
            )
        for i in range(device.slot_count):
            in_use += (
                device.slots[i].state != FREE
                and device.slots[i].link == link
                and device.slots[i].label == control.label
            )
        for i in range(device.expiry_count):
            unconfirmed += (
                device.expiries[i].used
                and device.expiries[i].link == link
                and device.expiries[i].label == control.label
            )
        flags = END if request.end else 0
        control.slot_first = request.slot_first
        control.slot_count = request.slot_count
        control.cutoff_ps = request.cutoff_ps
        control.retry_ps = request.retry_ps
        control.in_use = min(in_use, 0xFFFF)
        control.unconfirmed = min(unconfirmed, 0xFFFF)
        control.status = LINK_GENERATING if request.active else LINK_IDLE
    memset(frame, 0, LARGEST_FRAME_BYTES)
    write_control(frame, flags & END, link, control)
    send_frame(device, queue, frame, LINK_CONTROL_BYTES)


# ---- frames in ----

cdef int refusal(Packet* packet) noexcept nogil:
    """The counter of what is wrong with a frame before its fields are looked at, or -1."""
    cdef const uint8_t* frame = packet.data
    if (
        packet.length < ETHERNET_BYTES
        or get_bits(frame, 6) != 0x020000000002LL
        or get_bits(frame + 12, 2) != DEVICE_ETHER_TYPE
    ):
        return BAD_ETHERNET
    if packet.length < ETHERNET_BYTES + 4:
        return BAD_LENGTH
    if frame[14] >> 4 != DEVICE_VERSION:
        return BAD_VERSION
    if command_bytes(frame[15]) == 0:
        return BAD_TYPE
    if packet.length != <uint32_t>(ETHERNET_BYTES + command_bytes(frame[15])):
        return BAD_LENGTH
    return -1


cdef void obey(
    Device* device, Queue* queue, Ledger* ledger, QuantumMemory memory, const uint8_t* frame
) noexcept nogil:
    cdef uint8_t frame_type = frame[15]
    cdef QubitFrame command
    cdef LinkControl control
    if frame_type == FRAME_FEATURES_REQUEST:
        send_features(device, queue, get_bits(frame + 18, 4))
        return
    if FRAME_LINK_START <= frame_type <= FRAME_LINK_STATUS_REQUEST:
        read_control(frame, &control)
        on_link_control(device, queue, frame[14] & 0xF, frame_type, frame[16], &control)
        return
    read_qubit(frame, &command)
    if frame_type == FRAME_SWAP:
        on_swap(device, queue, ledger, memory, &command)
    elif frame_type == FRAME_DELIVER:
        on_deliver(device, queue, ledger, memory, &command)
    elif frame_type == FRAME_RELEASE:
        on_release(device, queue, ledger, memory, &command)
    elif frame_type == FRAME_VOID:
        on_void(device, ledger, memory, &command)
    else:
        on_expire_confirmed(device, &command)


cdef void device_receive(
    Device* device, Queue* queue, Ledger* ledger, QuantumMemory memory, Packet* packet
) noexcept nogil:
    cdef int counter = refusal(packet)
    if counter >= 0:
        device.counters[counter] += 1
    else:
        obey(device, queue, ledger, memory, packet.data)
    free(packet)


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
    s.end = request.end
    s.cutoff_ps = request.cutoff_ps
    s.retry_ps = request.retry_ps
    request.next_slot = (slot - request.slot_first + 1) % request.slot_count


cdef void device_unreserve(Device* device, int32_t slot) noexcept nogil:
    device.slots[slot].state = FREE


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
