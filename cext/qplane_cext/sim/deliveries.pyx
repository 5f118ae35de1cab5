"""What the application at an end node gets; see deliveries.pxd and docs/engine.md."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.stdlib cimport realloc
from libc.string cimport memset

from qplane_cext.sim.device cimport (
    COMPLETED, CONFIRMS, DELIVERS, EARLY_DELIVERS, EXPIRED, MEASURES, STALE_DELIVERS,
    UNKNOWN_COMPLETED, UNKNOWN_CONFIRMS, UNKNOWN_VOIDS, VOIDS, VOIDS_AFTER_COMPLETE, Early,
    Expiry, Slot, device_announce, device_held, device_pair_begins, device_pair_ends,
    device_send_event, device_vacate, device_wake_links, device_withdraw, pair_key
)
from qplane_cext.sim.events cimport EARLY_CUTOFF, queue_push, time_sum
from qplane_cext.sim.frames cimport (
    ANNOUNCE, CORRECT, EARLY, FRAME_DELIVERED, FRAME_EXPIRED, MEASURE, MEASURED, REPORT
)
from qplane_cext.sim.keymap cimport keymap_get, keymap_remove, keymap_set
from qplane_cext.sim.ledger cimport (
    VOID_AFTER_COMPLETE, VOID_UNKNOWN, VoidResult, ledger_confirm, ledger_correct,
    ledger_deliver, ledger_hand, ledger_is_complete, ledger_void
)
from qplane_cext.sim.teleport cimport teleport_takes, teleport_void


cdef void report(
    Device* device, Queue* queue, QubitFrame* command, uint8_t flags, uint8_t bell
) noexcept nogil:
    """DELIVERED answers a command, if that asks for it."""
    if command.flags & REPORT:
        command.type = FRAME_DELIVERED
        command.flags = flags
        command.bell = bell
        device_send_event(device, queue, command)


cdef void device_deliver(
    Device* device, Queue* queue, Ledger* ledger, QuantumMemory memory, QubitFrame* command
) noexcept nogil:
    cdef Slot* slot = device_held(
        device, command.slot, command.generation, command.link, command.seq
    )
    cdef bint measure = command.flags & MEASURE != 0
    cdef int read
    if slot == NULL or slot.label != command.label:
        device.counters[STALE_DELIVERS] += 1
        return
    device.counters[DELIVERS] += 1
    if command.flags & EARLY:
        hand_early(device, queue, ledger, memory, slot)
        return
    device.counters[MEASURES] += measure
    ledger_correct(
        ledger, memory, queue.now_ps, slot.half, command.bell, command.flags & CORRECT != 0,
        command.seq2,
    )
    if not measure and teleport_takes(device, queue, slot, command):
        report(device, queue, command, 0, 0)
        return
    read = ledger_deliver(ledger, memory, queue.now_ps, slot.half, measure)
    device_vacate(device, queue, slot)
    if measure:
        report(device, queue, command, MEASURED, read)
    else:
        report(device, queue, command, 0, 0)


# ---- early deliveries ----

cdef int32_t new_early(Device* device, Queue* queue) noexcept nogil:
    cdef int32_t i, wider
    cdef Early* earlies
    for i in range(device.early_count):
        if not device.earlies[i].used:
            return i
    if device.early_count == device.early_capacity:
        wider = 2 * device.early_capacity if device.early_capacity else 16
        earlies = <Early*>realloc(device.earlies, wider * sizeof(Early))
        if earlies == NULL:
            queue.out_of_memory = True
            return -1
        device.earlies = earlies
        device.early_capacity = wider
    device.early_count += 1
    memset(&device.earlies[device.early_count - 1], 0, sizeof(Early))
    return device.early_count - 1


cdef void hand_early(
    Device* device, Queue* queue, Ledger* ledger, QuantumMemory memory, Slot* slot
) noexcept nogil:
    """The application has the qubit from now on. It counts once its frame is known; if that does
    not come until the cut-off of the qubit, the delivery is given up as the qubit would be."""
    cdef int32_t index = new_early(device, queue)
    cdef Early* early
    if index < 0 or not keymap_set(&device.early, pair_key(slot.link, slot.seq), index):
        queue.out_of_memory = True
        return
    device.counters[EARLY_DELIVERS] += 1
    early = &device.earlies[index]
    early.used = True
    early.stamp = (early.stamp + 1) & 0x7FFFFFFF
    memset(&early.delivery, 0, sizeof(Expiry))
    early.delivery.type = FRAME_EXPIRED
    early.delivery.slot = slot - device.slots
    early.delivery.generation = slot.generation
    early.delivery.link = slot.link
    early.delivery.label = slot.label
    early.delivery.seq = slot.seq
    early.delivery.retry_ps = slot.retry_ps
    if slot.cutoff_ps > 0:
        queue_push(
            queue, time_sum(slot.since_ps, slot.cutoff_ps),
            EARLY_CUTOFF, device.node, index | <int64_t>early.stamp << 32, NULL,
        )
    ledger_hand(ledger, memory, queue.now_ps, slot.half)
    device_vacate(device, queue, slot)
    device_pair_begins(device, slot.link, slot.seq)  # it goes on being under way


cdef Early* early_of(Device* device, QubitFrame* command) noexcept nogil:
    """The early delivery of that very qubit, or NULL."""
    cdef int32_t index = keymap_get(&device.early, pair_key(command.link, command.seq))
    cdef Expiry* known
    if index < 0:
        return NULL
    known = &device.earlies[index].delivery
    if (
        known.slot != command.slot or known.generation != command.generation
        or known.label != command.label
    ):
        return NULL
    return &device.earlies[index]


cdef void forget(Device* device, Queue* queue, Early* early) noexcept nogil:
    early.used = False
    device_pair_ends(device, early.delivery.link, early.delivery.seq, queue.now_ps)
    device_wake_links(device, queue)
    keymap_remove(&device.early, pair_key(early.delivery.link, early.delivery.seq))


cdef void device_confirm(
    Device* device, Queue* queue, Ledger* ledger, QuantumMemory memory, QubitFrame* command
) noexcept nogil:
    cdef Early* early = early_of(device, command)
    if early == NULL:
        device.counters[UNKNOWN_CONFIRMS] += 1
        return
    device.counters[CONFIRMS] += 1
    forget(device, queue, early)
    ledger_confirm(
        ledger, memory, device.node, command.link, command.seq, command.bell,
        command.flags & CORRECT != 0, command.seq2,
    )
    report(device, queue, command, 0, 0)


cdef bint device_early_cutoff_void(Device* device, int64_t value) noexcept nogil:
    cdef Early* early = &device.earlies[<uint32_t>value]
    return not early.used or early.stamp != value >> 32


cdef void device_early_cutoff(
    Device* device, Queue* queue, Ledger* ledger, QuantumMemory memory, int64_t value
) noexcept nogil:
    cdef Early* early = &device.earlies[<uint32_t>value]
    device.counters[EXPIRED] += 1
    forget(device, queue, early)
    ledger_void(ledger, memory, device.node, early.delivery.link, early.delivery.seq)
    early.delivery.expired_ps = queue.now_ps
    device_announce(device, queue, &early.delivery)


# ---- afterwards ----

cdef void device_completed(Device* device, Ledger* ledger, QubitFrame* command) noexcept nogil:
    if ledger_is_complete(ledger, device.node, command.link, command.seq):
        device.counters[COMPLETED] += 1
    else:
        device.counters[UNKNOWN_COMPLETED] += 1


cdef void device_void(
    Device* device, Queue* queue, Ledger* ledger, QuantumMemory memory, QubitFrame* command
) noexcept nogil:
    cdef Early* early = early_of(device, command)
    cdef VoidResult result
    device_withdraw(device, queue, command)
    if teleport_void(device, queue, ledger, memory, command):
        return
    result = ledger_void(ledger, memory, device.node, command.link, command.seq)
    if result == VOID_UNKNOWN:
        device.counters[UNKNOWN_VOIDS] += 1
    elif result == VOID_AFTER_COMPLETE:
        device.counters[VOIDS_AFTER_COMPLETE] += 1
    else:
        device.counters[VOIDS] += 1
    if early != NULL:
        forget(device, queue, early)
        if command.flags & ANNOUNCE:
            early.delivery.expired_ps = queue.now_ps
            device_announce(device, queue, &early.delivery)
