"""Distillation of delivered pairs; see distillation.pxd and docs/engine.md.

A circuit with rounds of distillation has its devices hold what they are told to deliver. The head-end
chooses: as soon as it holds two pairs that went through equally many rounds, it does its part of
DEJMPS on them (the older one is spent), and asks the tail-end to do the same. The tail-end does so
if it holds both, and answers; equal bits mean success at both ends. A question is repeated until it
is answered, and an answer can be repeated. Whoever gives up a pair says so (EXPIRED until it is
confirmed), and says it of the spent pair too: so no end is left with half of anything.
"""

from libc.stdint cimport int32_t, uint8_t, uint16_t, uint32_t
from libc.stdlib cimport calloc, realloc
from libc.string cimport memset

from qplane_cext.sim.device cimport (
    AWAITING, DELIVERS, DISTIL_FAILURES, DISTIL_REPEATED, DISTILLATIONS, DISTILLED_LINKS, DISTILLED_PAIRS,
    DISTILLING, HELD, HELD_LOST, HOLDS, MEASURES, STALE_DELIVERS, STALE_DISTILS, TELEPORTING, UNKNOWN_VOIDS,
    Answered, Expiry, Held, Request, Slot, device_announce, device_cutoff, device_discard, device_feed,
    device_held, device_send_event, device_vacate
)
from qplane_cext.sim.deliveries cimport device_deliver, device_void
from qplane_cext.sim.events cimport CUTOFF, DISTIL_DONE, DISTIL_RETRY, queue_push, time_sum
from qplane_cext.sim.frames cimport (
    ASK, CORRECT, DISTILLED, EARLY, FAR, FRAME_DELIVERED, FRAME_DISTILLED, FRAME_EXPIRED, MEASURE,
    MEASURED
)
from qplane_cext.sim.ledger cimport (
    NOTHING, ledger_by_far, ledger_correct, ledger_deliver, ledger_distil_first, ledger_distil_second,
    ledger_feed
)
from qplane_cext.sim.requests cimport request_for

cdef enum:  # states of a record
    UNUSED
    READY  # waits for a second pair
    GATES  # this end's part is under way
    ASKED  # it is done, the other end's is not known to be (head-end)
    SPENT  # measured, or about to be: what becomes of the kept pair is open

cdef enum:
    ANSWERS = 1024  # remembered at most


# ---- records ----

cdef int32_t new_record(Device* device, Queue* queue) noexcept nogil:
    """Index of an unused record; -1 where the machine has no memory."""
    cdef int32_t i, wider
    cdef Held* records
    for i in range(device.held_count):
        if device.held[i].state == UNUSED:
            return i
    if device.held_count == device.held_capacity:
        wider = 2 * device.held_capacity if device.held_capacity else 16
        records = <Held*>realloc(device.held, wider * sizeof(Held))
        if records == NULL:
            queue.out_of_memory = True
            return -1
        device.held = records
        device.held_capacity = wider
    memset(&device.held[device.held_count], 0, sizeof(Held))
    device.held_count += 1
    return device.held_count - 1


cdef int32_t find(Device* device, uint8_t link, uint32_t label, uint32_t seq) noexcept nogil:
    cdef int32_t i
    for i in range(device.held_count):
        if (
            device.held[i].state != UNUSED and device.held[i].seq == seq
            and device.held[i].link == link and device.held[i].label == label
        ):
            return i
    return -1


cdef int32_t keeper_of(Device* device, int32_t spent) noexcept nogil:
    cdef int32_t i
    for i in range(device.held_count):
        if (device.held[i].state == GATES or device.held[i].state == ASKED) and (
            device.held[i].mate == spent
        ):
            return i
    return -1


cdef inline Slot* slot_of(Device* device, int32_t record) noexcept nogil:
    return &device.slots[device.held[record].slot]


cdef inline void forget(Device* device, int32_t record) noexcept nogil:
    device.held[record].state = UNUSED
    device.held[record].stamp = (device.held[record].stamp + 1) & 0x7FFFFFFF


cdef void timer(Device* device, Queue* queue, int32_t record, int kind, int64_t after_ps) noexcept nogil:
    queue_push(
        queue, time_sum(queue.now_ps, after_ps), kind, device.node,
        record | <int64_t>device.held[record].stamp << 32, NULL,
    )


cdef bint distil_timer_void(Device* device, int64_t value) noexcept nogil:
    return device.held[<uint32_t>value].stamp != value >> 32


# ---- frames ----

cdef void send_bit(
    Device* device, Queue* queue, uint8_t link, uint32_t label, uint32_t kept, uint32_t spent,
    uint8_t bit, uint8_t flags
) noexcept nogil:
    cdef QubitFrame event
    memset(&event, 0, sizeof(QubitFrame))
    event.type = FRAME_DISTILLED
    event.flags = flags
    event.bell = bit
    event.link = link
    event.label = label
    event.seq = kept
    event.seq2 = spent
    device_send_event(device, queue, &event)


# ---- what becomes of a held pair ----

cdef void hand_over(
    Device* device, Queue* queue, Ledger* ledger, QuantumMemory memory, int32_t record
) noexcept nogil:
    """To the circuit that this one feeds, else to the application, as its DELIVER said."""
    cdef Held* pair = &device.held[record]
    cdef Slot* slot = slot_of(device, record)
    cdef Request* request = request_for(device, pair.link, pair.label)
    cdef bint fed = request != NULL and request.feeds != 0
    cdef bint measure = pair.flags & MEASURE != 0 and not fed
    cdef int read = 0
    if not fed:
        device.counters[DELIVERS] += 1
        device.counters[MEASURES] += measure
        read = ledger_deliver(ledger, memory, queue.now_ps, slot.half, measure)
        device_vacate(device, queue, slot)
    slot.held = -1
    report_distilled(device, queue, pair, slot.generation, measure, read)
    if fed:
        feed(device, queue, ledger, memory, pair, request.feeds)
    forget(device, record)


cdef void feed(
    Device* device, Queue* queue, Ledger* ledger, QuantumMemory memory, Held* pair, uint32_t label
) noexcept nogil:
    """The other circuit gets the pair as one of a link of its own, heralded now as Phi+."""
    cdef Request* to = request_for(device, pair.link + DISTILLED_LINKS, label)
    cdef Slot* slot = &device.slots[pair.slot]
    if to == NULL:  # nobody asked for it
        device.counters[HELD_LOST] += 1
        device_discard(device, queue, ledger, memory, pair.slot)
        return
    ledger_feed(ledger, slot.half, pair.link + DISTILLED_LINKS, label)
    device_feed(device, queue, pair.slot, label, to)


cdef void report_distilled(
    Device* device, Queue* queue, Held* pair, uint16_t generation, bint measure, int read
) noexcept nogil:
    cdef QubitFrame event
    # Whether DELIVER asked for it or not: the switch counts what came through its rounds.
    memset(&event, 0, sizeof(QubitFrame))
    event.type = FRAME_DELIVERED
    event.flags = DISTILLED | (MEASURED if measure else 0)
    event.bell = read if measure else 0
    event.link = pair.link
    event.label = pair.label
    event.seq = pair.seq
    event.seq2 = pair.far_seq
    event.slot = pair.slot
    event.generation = generation
    device_send_event(device, queue, &event)


cdef void drop(
    Device* device, Queue* queue, Ledger* ledger, QuantumMemory memory, int32_t record
) noexcept nogil:
    """Discard its qubit, which is in memory."""
    slot_of(device, record).held = -1
    device_discard(device, queue, ledger, memory, device.held[record].slot)
    forget(device, record)


cdef void announce_dead(Device* device, Queue* queue, int32_t record) noexcept nogil:
    """EXPIRED, repeated until it is confirmed, about a pair whose qubit is gone."""
    cdef Expiry lost
    memset(&lost, 0, sizeof(Expiry))
    lost.type = FRAME_EXPIRED
    lost.link = device.held[record].link
    lost.label = device.held[record].label
    lost.seq = device.held[record].seq
    lost.retry_ps = device.held[record].retry_ps
    lost.expired_ps = queue.now_ps
    device_announce(device, queue, &lost)


cdef void drop_keeper(
    Device* device, Queue* queue, Ledger* ledger, QuantumMemory memory, int32_t record
) noexcept nogil:
    """Give up a kept pair whose distillation can't be finished, and tell of both pairs."""
    cdef int32_t spent = device.held[record].mate
    device.counters[HELD_LOST] += 1
    announce_dead(device, queue, record)
    announce_dead(device, queue, spent)
    forget(device, spent)
    drop(device, queue, ledger, memory, record)


cdef void go_on(
    Device* device, Queue* queue, Ledger* ledger, QuantumMemory memory, int32_t record, bint success
) noexcept nogil:
    """Both bits are known. A pair that went through all its rounds goes to the application."""
    cdef Held* pair = &device.held[record]
    if not success:
        device.counters[DISTIL_FAILURES] += 1
        drop(device, queue, ledger, memory, record)
        return
    device.counters[DISTILLED_PAIRS] += 1
    pair.level += 1
    pair.stamp = (pair.stamp + 1) & 0x7FFFFFFF
    pair.state = READY
    if pair.level == pair.rounds:
        hand_over(device, queue, ledger, memory, record)
    elif pair.head:
        match(device, queue, record)


# ---- the head-end begins ----

cdef void begin(Device* device, Queue* queue, int32_t kept, int32_t spent) noexcept nogil:
    cdef Held* pair = &device.held[kept]
    device.counters[DISTILLATIONS] += 1
    pair.state = GATES
    pair.doomed = False
    pair.mate = spent
    pair.stamp = (pair.stamp + 1) & 0x7FFFFFFF
    device.held[spent].state = SPENT
    slot_of(device, kept).state = DISTILLING
    slot_of(device, spent).state = DISTILLING
    timer(device, queue, kept, DISTIL_DONE, device.swap_time_ps)


cdef void match(Device* device, Queue* queue, int32_t record) noexcept nogil:
    """The head-end: is there another pair of the same circuit that went through as many rounds?"""
    cdef Held* pair = &device.held[record]
    cdef Held* other
    cdef int32_t i
    for i in range(device.held_count):
        other = &device.held[i]
        if (
            i != record and other.state == READY and other.level == pair.level
            and other.link == pair.link and other.label == pair.label
        ):
            begin(device, queue, record, i)
            return


cdef void distil_deliver(
    Device* device, Queue* queue, Ledger* ledger, QuantumMemory memory, QubitFrame* command
) noexcept nogil:
    cdef Slot* slot = device_held(device, command.slot, command.generation, command.link, command.seq)
    cdef Held* pair
    cdef int32_t record
    cdef uint32_t stamp
    if slot == NULL or slot.label != command.label or slot.rounds == 0 or (
        command.flags & EARLY
    ):
        device_deliver(device, queue, ledger, memory, command)
        return
    if slot.held >= 0:
        device.counters[STALE_DELIVERS] += 1
        return
    record = new_record(device, queue)
    if record < 0:
        return
    device.counters[HOLDS] += 1
    ledger_correct(
        ledger, memory, queue.now_ps, slot.half, command.bell, command.flags & CORRECT != 0,
        command.seq2,
    )
    pair = &device.held[record]
    stamp = pair.stamp
    memset(pair, 0, sizeof(Held))
    pair.stamp = (stamp + 1) & 0x7FFFFFFF
    pair.state = READY
    pair.head = command.flags & CORRECT == 0
    pair.flags = command.flags
    pair.rounds = slot.rounds
    pair.link = command.link
    pair.label = command.label
    pair.seq = command.seq
    pair.far_seq = command.seq2
    pair.slot = command.slot
    pair.mate = -1
    pair.retry_ps = slot.retry_ps
    slot.held = record
    if pair.head:
        match(device, queue, record)


cdef void back_in_memory(Device* device, Queue* queue, int32_t record) noexcept nogil:
    """The gates are over: its cut-off, which does not interrupt them, counts again."""
    cdef Slot* slot = slot_of(device, record)
    cdef int64_t deadline_ps = time_sum(slot.since_ps, slot.cutoff_ps)
    slot.state = HELD
    if slot.cutoff_ps > 0 and deadline_ps <= queue.now_ps:
        queue_push(
            queue, queue.now_ps, CUTOFF, device.node,
            device.held[record].slot | <int64_t>slot.generation << 16, NULL,
        )


cdef void distil_done(
    Device* device, Queue* queue, Ledger* ledger, QuantumMemory memory, int64_t value
) noexcept nogil:
    """This end's gates and its measurement are done."""
    cdef int32_t record = <uint32_t>value
    cdef Held* pair = &device.held[record]
    cdef int32_t spent = pair.mate
    cdef int bit
    back_in_memory(device, queue, record)
    if pair.head:
        bit = ledger_distil_first(
            ledger, memory, queue.now_ps, slot_of(device, record).half, slot_of(device, spent).half
        )
        slot_of(device, spent).held = -1
        device_vacate(device, queue, slot_of(device, spent))
        pair.bit = bit
        pair.state = ASKED
        if pair.doomed:
            drop_keeper(device, queue, ledger, memory, record)
            return
        ask(device, queue, record)
        return
    bit = NOTHING
    if not pair.doomed:
        bit = ledger_distil_second(
            ledger, memory, queue.now_ps, slot_of(device, record).half, slot_of(device, spent).half
        )
    if bit == NOTHING:  # the head-end gave up: it says so
        device.counters[HELD_LOST] += 1
        drop(device, queue, ledger, memory, spent)
        drop(device, queue, ledger, memory, record)
        return
    slot_of(device, spent).held = -1
    device_vacate(device, queue, slot_of(device, spent))
    remember(device, queue, pair, &device.held[spent], bit)
    send_bit(
        device, queue, pair.link, pair.label, pair.seq, device.held[spent].far_seq, bit, 0
    )
    forget(device, spent)
    go_on(device, queue, ledger, memory, record, bit == pair.other_bit)


cdef void ask(Device* device, Queue* queue, int32_t record) noexcept nogil:
    cdef Held* pair = &device.held[record]
    send_bit(
        device, queue, pair.link, pair.label, pair.seq, device.held[pair.mate].far_seq, pair.bit,
        ASK,
    )
    if pair.retry_ps > 0:
        timer(device, queue, record, DISTIL_RETRY, pair.retry_ps)


cdef void distil_retry(Device* device, Queue* queue, int64_t value) noexcept nogil:
    device.counters[DISTIL_REPEATED] += 1
    ask(device, queue, <uint32_t>value)


# ---- what the other end says ----

cdef void remember(
    Device* device, Queue* queue, Held* kept, Held* spent, uint8_t bit
) noexcept nogil:
    """The oldest is forgotten: if it is asked about again, the head-end gives up at its cut-off."""
    cdef Answered* answer
    if device.answered == NULL:
        device.answered = <Answered*>calloc(ANSWERS, sizeof(Answered))
        if device.answered == NULL:
            queue.out_of_memory = True
            return
    answer = &device.answered[device.answers % ANSWERS]
    device.answers += 1
    answer.used = True
    answer.link = kept.link
    answer.label = kept.label
    answer.kept = kept.seq
    answer.spent = spent.seq
    answer.far_spent = spent.far_seq
    answer.bit = bit


cdef Answered* answer_to(Device* device, QubitFrame* command) noexcept nogil:
    cdef int32_t i
    cdef Answered* answer
    if device.answered == NULL:
        return NULL
    for i in range(ANSWERS):
        answer = &device.answered[i]
        if (
            answer.used and answer.link == command.link and answer.label == command.label
            and answer.kept == command.seq and answer.spent == command.seq2
        ):
            return answer
    return NULL


cdef void asked(Device* device, Queue* queue, QubitFrame* command) noexcept nogil:
    """The tail-end is to do its part, or to say again what it read."""
    cdef int32_t kept = find(device, command.link, command.label, command.seq)
    cdef int32_t spent = find(device, command.link, command.label, command.seq2)
    cdef Answered* answer
    if (
        kept >= 0 and spent >= 0 and kept != spent and not device.held[kept].head
        and device.held[kept].state == READY and device.held[spent].state == READY
        and device.held[kept].level == device.held[spent].level
    ):
        device.held[kept].other_bit = command.bell & 1
        begin(device, queue, kept, spent)
        return
    answer = answer_to(device, command)
    if answer != NULL:
        device.counters[DISTIL_REPEATED] += 1
        send_bit(
            device, queue, answer.link, answer.label, answer.kept, answer.far_spent, answer.bit, 0
        )
    else:
        device.counters[STALE_DISTILS] += 1  # under way, not here yet, or given up: it is repeated


cdef void distil_answer(
    Device* device, Queue* queue, Ledger* ledger, QuantumMemory memory, QubitFrame* command
) noexcept nogil:
    cdef int32_t kept, spent
    if command.flags & ASK:
        asked(device, queue, command)
        return
    kept = find(device, command.link, command.label, command.seq)
    if kept < 0 or device.held[kept].state != ASKED or (
        device.held[device.held[kept].mate].seq != command.seq2
    ):
        device.counters[STALE_DISTILS] += 1
        return
    spent = device.held[kept].mate
    forget(device, spent)
    go_on(device, queue, ledger, memory, kept, device.held[kept].bit == command.bell & 1)


# ---- pairs that are given up ----

cdef bint name_near(Device* device, Ledger* ledger, QubitFrame* command) noexcept nogil:
    """Fill in the own number of a pair that a VOID names by that of the other end."""
    cdef Slot* slot
    cdef int32_t i, half
    for i in range(device.held_count):
        if (
            device.held[i].state != UNUSED and device.held[i].far_seq == command.seq2
            and device.held[i].link == command.link and device.held[i].label == command.label
        ):
            command.seq = device.held[i].seq
            return True
    for i in range(device.slot_count):
        slot = &device.slots[i]
        if (
            (slot.state == AWAITING or slot.state == TELEPORTING)
            and slot.other_seq == command.seq2 and slot.link == command.link
            and slot.label == command.label
        ):
            command.seq = slot.seq
            return True
    half = ledger_by_far(ledger, device.node, command.link, command.label, command.seq2)
    if half < 0:
        return False
    command.seq = ledger.pairs[half >> 1].seq
    return True


cdef void distil_void(
    Device* device, Queue* queue, Ledger* ledger, QuantumMemory memory, QubitFrame* command
) noexcept nogil:
    """The other end gave the pair up."""
    if command.flags & FAR and not name_near(device, ledger, command):
        device.counters[UNKNOWN_VOIDS] += 1
        return
    void_near(device, queue, ledger, memory, command)


cdef int32_t fed_slot(Device* device, QubitFrame* command) noexcept nogil:
    """Where a pair is that a circuit has distilled and handed on, if it is still in memory; or -1."""
    cdef Slot* slot
    cdef int32_t i
    for i in range(device.slot_count):
        slot = &device.slots[i]
        if (
            slot.state == HELD and slot.fed_by == command.label and slot.seq == command.seq
            and slot.link == command.link + DISTILLED_LINKS
        ):
            return i
    return -1


cdef void void_near(
    Device* device, Queue* queue, Ledger* ledger, QuantumMemory memory, QubitFrame* command
) noexcept nogil:
    cdef int32_t record = find(device, command.link, command.label, command.seq)
    cdef int32_t fed
    if record >= 0 and device.held[record].state == SPENT:
        record = keeper_of(device, record)
    if record < 0:
        fed = fed_slot(device, command)
        if fed >= 0:
            device.counters[HELD_LOST] += 1
            distil_cutoff(
                device, queue, ledger, memory, fed | <int64_t>device.slots[fed].generation << 16
            )
            return
        device_void(device, queue, ledger, memory, command)
    elif device.held[record].state == GATES:
        device.held[record].doomed = True
    elif device.held[record].state == ASKED:
        drop_keeper(device, queue, ledger, memory, record)
    else:
        device.counters[HELD_LOST] += 1
        drop(device, queue, ledger, memory, record)


cdef void distil_cutoff(
    Device* device, Queue* queue, Ledger* ledger, QuantumMemory memory, int64_t value
) noexcept nogil:
    cdef Slot* slot = &device.slots[value & 0xFFFF]
    cdef int32_t record = slot.held
    cdef int32_t spent
    if record >= 0:
        device.counters[HELD_LOST] += 1
        slot.held = -1
        if device.held[record].state == ASKED:
            spent = device.held[record].mate
            announce_dead(device, queue, spent)
            forget(device, spent)
        forget(device, record)
    device_cutoff(device, queue, ledger, memory, value)
