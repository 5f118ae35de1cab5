"""The MHP of one quantum link; see mhp.pxd and docs/mhp.md.

What happens next on a link is *planned*: from the orders at both ends follow the cycles in which
either attempts. As long as both attempt in the same cycles for the same queue item, the number of
attempts up to the next success is one draw; the failures in between are neither sent nor events.
The plan ends in an attempt that is sent, or where something changes (a window opens or ends). A
plan is given up, and made anew, whenever a command, a REPLY or a time-out changes an end; that
does not bias the draw, as attempts have no memory.
"""

from libc.stdint cimport INT64_MAX, INT32_MAX
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memset

from qplane_cext.sim.device cimport (
    FREE, HELD, RESERVED, Slot, device_discard, device_send, device_unreserve
)
from qplane_cext.sim.events cimport (
    ARRIVE, LINK_WAKE, MHP_TIMEOUT, MHP_TURN, Packet, packet_new, queue_push, time_sum
)
from qplane_cext.sim.frames cimport ETHERNET_BYTES, LARGEST_FRAME_BYTES
from qplane_cext.sim.ledger cimport Half, half_at, ledger_measured_pair, ledger_number, ledger_pair
from qplane_cext.sim.mhp_frames cimport *
from qplane_cext.sim.qubit_actions cimport device_move
from qplane_cext.sim.streams cimport chance, geometric, uniform

cdef int64_t NEVER = INT64_MAX


cdef void mhp_free(Mhp* mhp) noexcept nogil:
    cdef int side
    for side in range(2):
        free(mhp.sides[side].pendings)
    free(mhp.figures)


cdef int64_t mhp_cycle(Mhp* mhp, int64_t now_ps) noexcept nogil:
    """The cycle that `now_ps` lies in."""
    return now_ps // mhp.cycle_ps


cdef inline int64_t next_cycle(Mhp* mhp, int64_t now_ps) noexcept nogil:
    """The first cycle that does not begin before `now_ps`."""
    return (now_ps + mhp.cycle_ps - 1) // mhp.cycle_ps


cdef inline int64_t start_of(Mhp* mhp, int64_t cycle) noexcept nogil:
    return NEVER if cycle > NEVER // mhp.cycle_ps else cycle * mhp.cycle_ps


cdef inline int64_t step_of(Mhp* mhp, bint measure) noexcept nogil:
    return 1 if measure else mhp.attempt_cycles


# ---- figures of the physics, from Python, kept ----

cdef int ask_figures(Mhp* mhp, HeraldFigures* figures) noexcept with gil:
    """Success probability and states for two bright-state parameters; 0 where none is possible."""
    cdef int i, j
    try:
        success, states = (<object>mhp.figures_of)(figures.bright[0], figures.bright[1])
        figures.success = success
        figures.state_count = len(states)
        for i, (bell, state, kept) in enumerate(states):
            figures.bells[i] = bell
            for j in range(16):
                figures.states[i][j] = state[j]
                figures.kept[i][j] = kept[j]
    except ValueError:  # no attempt can succeed
        figures.success = 0.0
    return 0


cdef HeraldFigures* figures_for(Mhp* mhp, Queue* queue, uint16_t a, uint16_t b) noexcept nogil:
    """For the bright-state parameters of both orders; NULL where the machine has no memory."""
    cdef int32_t i
    cdef HeraldFigures* found
    for i in range(mhp.figure_count):
        found = &mhp.figures[i]
        if found.bright[0] == a and found.bright[1] == b:
            return found
    if mhp.figures == NULL:
        mhp.figures = <HeraldFigures*>malloc(MOST_FIGURES * sizeof(HeraldFigures))
        if mhp.figures == NULL:
            queue.out_of_memory = True
            return NULL
    if mhp.figure_count < MOST_FIGURES:
        found = &mhp.figures[mhp.figure_count]
        mhp.figure_count += 1
    else:
        found = &mhp.figures[mhp.figure_turn]
        mhp.figure_turn = (mhp.figure_turn + 1) % MOST_FIGURES
    memset(found, 0, sizeof(HeraldFigures))
    found.bright[0] = a
    found.bright[1] = b
    ask_figures(mhp, found)
    return found


# ---- frames ----

cdef void send_later(
    Queue* queue, int64_t at_ps, int32_t node, int32_t port, const uint8_t* frame, uint32_t length
) noexcept nogil:
    """A frame that a device sends to its switch at a later time."""
    cdef Packet* packet = packet_new(queue, frame, ETHERNET_BYTES + length)
    if packet != NULL:
        queue_push(queue, at_ps, ARRIVE, node, port, packet)


cdef void send_status(
    Mhp* mhp, Queue* queue, int side, uint32_t transaction, uint16_t which, uint8_t state,
    uint16_t pairs_left, uint64_t attempts
) noexcept nogil:
    cdef uint8_t[LARGEST_FRAME_BYTES] frame
    memset(frame, 0, LARGEST_FRAME_BYTES)
    write_status(
        frame, mhp.sides[side].number, transaction, which, state, pairs_left,
        mhp_cycle(mhp, queue.now_ps), attempts,
    )
    device_send(mhp.sides[side].device, queue, frame, STATUS_FRAME_BYTES)


cdef void send_result(Mhp* mhp, Queue* queue, int side, Result* result) noexcept nogil:
    cdef uint8_t[LARGEST_FRAME_BYTES] frame
    memset(frame, 0, LARGEST_FRAME_BYTES)
    write_result(frame, mhp.sides[side].number, result)
    device_send(mhp.sides[side].device, queue, frame, RESULT_FRAME_BYTES)


# ---- orders ----

cdef void finish(Mhp* mhp, Queue* queue, int side, int place, uint8_t state) noexcept nogil:
    """An order ends; its slot, if it has one reserved, is given back."""
    cdef MhpSide* s = &mhp.sides[side]
    cdef OrderSlot* o = &s.orders[place]
    o.loaded = False
    if place == 0 and s.slot >= 0:
        device_unreserve(s.device, queue, s.slot)
        s.slot = -1
        if s.target >= 0:
            device_unreserve(s.device, queue, s.target)
            s.target = -1
    send_status(mhp, queue, side, 0, o.order.queue, state, o.pairs_left, o.attempts)


cdef void promote(Mhp* mhp, Queue* queue, int side, int64_t cycle) noexcept nogil:
    """End what is over by `cycle`; let the order that waits take its place."""
    cdef MhpSide* s = &mhp.sides[side]
    cdef OrderSlot* running = &s.orders[0]
    cdef OrderSlot* waiting = &s.orders[1]
    if waiting.loaded and (not running.loaded or waiting.order.first_cycle <= cycle):
        if running.loaded:
            finish(
                mhp, queue, side, 0, ORDER_COMPLETE if running.is_over else ORDER_SUPERSEDED
            )
        running[0] = waiting[0]
        waiting.loaded = False
    if running.loaded and running.order.end_cycle and running.order.end_cycle <= cycle:
        finish(mhp, queue, side, 0, ORDER_COMPLETE if running.is_over else ORDER_WINDOW_OVER)


cdef void mhp_start(Mhp* mhp, Queue* queue, int side, Order* order) noexcept nogil:
    cdef MhpSide* s = &mhp.sides[side]
    cdef OrderSlot* o
    cdef uint8_t state = ORDER_WAITING
    cdef int64_t cycle = next_cycle(mhp, queue.now_ps)
    settle(mhp, cycle)
    if (
        order.first_cycle < 0
        or order.first_cycle > NEVER // mhp.cycle_ps - mhp.attempt_cycles  # the clock has no such
        or order.end_cycle < 0
        or (order.end_cycle and order.end_cycle <= max(order.first_cycle, cycle))
        or (not order.measure and (
            order.slot_count == 0
            or order.slot_first + order.slot_count > s.device.slot_count
        ))
    ):
        send_status(mhp, queue, side, order.transaction, order.queue, ORDER_REFUSED, 0, 0)
        return
    promote(mhp, queue, side, cycle)
    if s.orders[1].loaded:
        finish(mhp, queue, side, 1, ORDER_SUPERSEDED)
    o = &s.orders[1 if s.orders[0].loaded else 0]
    memset(o, 0, sizeof(OrderSlot))
    o.loaded = True
    o.order = order[0]
    o.pairs_left = order.pairs
    if order.first_cycle <= cycle:
        promote(mhp, queue, side, cycle)
        state = ORDER_RUNNING
    send_status(mhp, queue, side, order.transaction, order.queue, state, order.pairs, 0)
    mhp.alone = 0
    mhp_plan(mhp, queue)


cdef void mhp_stop(Mhp* mhp, Queue* queue, int side, Order* order) noexcept nogil:
    cdef MhpSide* s = &mhp.sides[side]
    cdef OrderSlot* o
    cdef int place
    settle(mhp, next_cycle(mhp, queue.now_ps))
    for place in range(2):
        o = &s.orders[place]
        if o.loaded and o.order.queue == order.queue:
            send_status(
                mhp, queue, side, order.transaction, order.queue, ORDER_STOPPED, o.pairs_left,
                o.attempts,
            )
            finish(mhp, queue, side, place, ORDER_STOPPED)
            mhp_plan(mhp, queue)
            return
    send_status(mhp, queue, side, order.transaction, order.queue, ORDER_UNKNOWN, 0, 0)


# ---- the plan ----

cdef int32_t free_slot(Device* device, int32_t first, int32_t count) noexcept nogil:
    cdef int32_t i
    for i in range(first, first + count):
        if device.slots[i].state == FREE:
            return i
    return -1


cdef void reserve(Device* device, int32_t slot, uint8_t number) noexcept nogil:
    cdef Slot* s = &device.slots[slot]
    s.state = RESERVED
    s.generation += 1
    s.link = number
    s.label = 0
    s.seq = 0
    s.half = -1
    s.end = False
    s.cutoff_ps = 0


cdef bint has_slot(MhpSide* s, Order* order) noexcept nogil:
    """Whether a K attempt has a slot for its photon's partner, and one to move it to if need be."""
    cdef Device* device = s.device
    cdef int32_t slot, target = -1
    if s.slot >= 0:
        return True
    slot = free_slot(device, order.slot_first, order.slot_count)
    if slot >= 0 and device.emitters and slot >= device.emitters:
        target = slot
        slot = free_slot(device, 0, device.emitters)
    device.links[s.number].mhp_waits = slot < 0
    if slot < 0:
        return False
    reserve(device, slot, s.number)
    s.slot = slot
    s.target = target
    if target >= 0:
        reserve(device, target, s.number)
    return True


cdef int64_t first_attempt(Mhp* mhp, int side, int64_t cycle) noexcept nogil:
    """The cycle of an end's next attempt, from `cycle` on, or NEVER."""
    cdef MhpSide* s = &mhp.sides[side]
    cdef Order* order = &s.orders[0].order
    cdef int64_t first, step
    if not s.orders[0].loaded or (s.orders[0].is_over and not order.measure):
        return NEVER
    if not order.measure and s.holds:
        return NEVER
    step = step_of(mhp, order.measure)
    first = max(cycle, max(order.first_cycle, s.next_cycle))
    first = (first + step - 1) // step * step
    if first >= limit_of(s):
        return NEVER
    if not order.measure and not has_slot(s, order):
        return NEVER
    return first


cdef int64_t limit_of(MhpSide* s) noexcept nogil:
    """The cycle in which the running order must have ended."""
    cdef int64_t limit = NEVER
    if s.orders[0].order.end_cycle:
        limit = s.orders[0].order.end_cycle
    if s.orders[1].loaded:
        limit = min(limit, s.orders[1].order.first_cycle)
    return limit


cdef int64_t change_of(MhpSide* s) noexcept nogil:
    """The next cycle in which the orders themselves change something."""
    if s.orders[0].loaded:
        return limit_of(s)
    return s.orders[1].order.first_cycle if s.orders[1].loaded else NEVER


cdef void lend(Mhp* mhp, Queue* queue) noexcept nogil:
    """Take the link from the circuits, or give it back."""
    cdef bint wanted = mhp.sides[0].orders[0].loaded or mhp.sides[1].orders[0].loaded
    if wanted != mhp.link.lent:
        mhp.link.lent = wanted
        queue_push(queue, queue.now_ps, LINK_WAKE, mhp.index, 0, NULL)


cdef void mhp_plan(Mhp* mhp, Queue* queue) noexcept nogil:
    """Give up the present plan, if any, and make one from now on."""
    cdef int64_t cycle = next_cycle(mhp, queue.now_ps), last, change, target
    cdef int64_t[2] first
    cdef Order* a
    cdef Order* b
    cdef HeraldFigures* figures
    cdef uint64_t wait
    cdef int64_t tries
    cdef int side
    settle(mhp, cycle)
    mhp.epoch += 1
    for side in range(2):
        promote(mhp, queue, side, cycle)
    lend(mhp, queue)
    change = min(change_of(&mhp.sides[0]), change_of(&mhp.sides[1]))
    for side in range(2):
        first[side] = first_attempt(mhp, side, cycle)
    target = min(first[0], first[1])
    mhp.attempts_next = False
    mhp.planned_from = NEVER
    if target == NEVER or target >= change:
        if change != NEVER:
            queue_push(queue, start_of(mhp, change), MHP_TURN, mhp.index, mhp.epoch, NULL)
        return
    a = &mhp.sides[0].orders[0].order
    b = &mhp.sides[1].orders[0].order
    mhp.planned_from = target
    mhp.agreed = first[0] == first[1] and a.queue == b.queue and a.measure == b.measure
    if mhp.agreed:
        mhp.planned_step = step_of(mhp, a.measure)
        figures = figures_for(mhp, queue, a.bright, b.bright)
        if figures == NULL:
            return
        if mhp.every_attempt:
            tries = 1
        elif figures.success <= 0.0:
            tries = NEVER
        else:
            tries = geometric(mhp.stream, figures.success)
    else:
        side = 0 if first[0] <= first[1] else 1
        mhp.planned_step = step_of(mhp, mhp.sides[side].orders[0].order.measure)
        if first[0] != first[1] and first[1 - side] != NEVER:
            change = min(change, first[1 - side])  # where the other joins in
        wait = 1
        while wait <= mhp.alone:
            wait *= 2
        tries = 1 if mhp.every_attempt else <int64_t>(wait - mhp.alone)
    last = NEVER
    if tries - 1 <= (NEVER - target) // mhp.planned_step:
        last = target + (tries - 1) * mhp.planned_step
    if last < change:
        mhp.attempts_next = True
        change = last
    if change != NEVER:
        queue_push(queue, start_of(mhp, change), MHP_TURN, mhp.index, mhp.epoch, NULL)


cdef void settle(Mhp* mhp, int64_t cycle) noexcept nogil:
    """Count the attempts of the present plan before `cycle`; none of them was sent."""
    cdef int64_t made
    cdef int side
    if mhp.planned_from == NEVER or cycle <= mhp.planned_from:
        return
    made = (cycle - mhp.planned_from + mhp.planned_step - 1) // mhp.planned_step
    for side in range(2):
        count_attempts(mhp, side, made)
    if mhp.agreed:
        mhp.counters[MHP_ATTEMPTS] += made
        mhp.alone = 0
    else:
        mhp.counters[MHP_ALONE] += made
        mhp.alone += made
    mhp.planned_from += made * mhp.planned_step


cdef void count_attempts(Mhp* mhp, int side, int64_t made) noexcept nogil:
    """Of an end that takes part in the present plan."""
    cdef MhpSide* s = &mhp.sides[side]
    if not s.orders[0].loaded or s.orders[0].order.first_cycle > mhp.planned_from:
        return
    if s.next_cycle > mhp.planned_from or s.holds:
        return
    if not s.orders[0].order.measure and s.slot < 0:
        return
    s.orders[0].attempts += made


# ---- an attempt that is sent ----

cdef Pending* new_pending(MhpSide* s, Queue* queue) noexcept nogil:
    cdef int32_t i, wider
    cdef Pending* pendings
    for i in range(s.pending_count):
        if not s.pendings[i].used:
            return &s.pendings[i]
    if s.pending_count == s.pending_capacity:
        wider = 2 * s.pending_capacity if s.pending_capacity else 8
        pendings = <Pending*>realloc(s.pendings, wider * sizeof(Pending))
        if pendings == NULL:
            queue.out_of_memory = True
            return NULL
        s.pendings = pendings
        s.pending_capacity = wider
    s.pending_count += 1
    memset(&s.pendings[s.pending_count - 1], 0, sizeof(Pending))
    return &s.pendings[s.pending_count - 1]


cdef void choose_basis(Mhp* mhp, Order* order, uint8_t* basis, double* axis) noexcept nogil:
    """The axis that an M attempt measures along; probabilities are n / 255."""
    cdef double draw
    cdef double half = 0.7071067811865476
    if order.random_basis == RANDOM_NONE:
        rotated_axis(order.rotations, axis)
        basis[0] = BASIS_OF_ORDER
        if not (order.rotations[0] or order.rotations[1] or order.rotations[2]):
            basis[0] = BASIS_Z
        return
    draw = 255.0 * uniform(mhp.stream)
    if order.random_basis == RANDOM_CHSH:
        basis[0] = BASIS_Z_PLUS if draw < order.probabilities[0] else BASIS_Z_MINUS
        axis[0] = half if basis[0] == BASIS_Z_PLUS else -half
        axis[1] = 0.0
        axis[2] = half
        return
    basis[0] = BASIS_Z
    if draw < order.probabilities[0]:
        basis[0] = BASIS_X
    elif (
        order.random_basis == RANDOM_XYZ
        and draw < order.probabilities[0] + order.probabilities[1]
    ):
        basis[0] = BASIS_Y
    axis[0] = basis[0] == BASIS_X
    axis[1] = basis[0] == BASIS_Y
    axis[2] = basis[0] == BASIS_Z


cdef void make_pair(
    Mhp* mhp, Queue* queue, Ledger* ledger, QuantumMemory memory, HeraldFigures* figures,
    int which, Pending** pendings, const double* axes
) noexcept nogil:
    """The photons did it: a pair in memory (K), or its outcomes (M)."""
    cdef int64_t start_ps = queue.now_ps
    cdef int64_t later_ps = start_ps + max(mhp.link.born_ps[0], mhp.link.born_ps[1])
    cdef int32_t pair
    cdef int side
    cdef Half* half
    cdef int bits[2]
    cdef int nodes[2]
    if pendings[0].measure:
        for side in range(2):
            nodes[side] = mhp.sides[side].device.node
        ledger_measured_pair(
            ledger, memory, later_ps, figures.states[which], mhp.link.profiles, nodes, axes, bits
        )
    else:
        pair = ledger_pair(
            ledger, memory, later_ps, figures.kept[which], mhp.link.profiles, mhp.index, 0,
            figures.bells[which],
        )
        if pair < 0:
            return  # out of memory; the run ends with an error
    for side in range(2):
        pendings[side].bell = figures.bells[which]
        pendings[side].is_pair = True
        if pendings[side].measure:
            pendings[side].outcome = bits[side]
            continue
        mhp.sides[side].device.slots[pendings[side].slot].half = 2 * pair + side
        mhp.sides[side].device.slots[pendings[side].slot].bell = figures.bells[which]
        half = half_at(ledger, 2 * pair + side)
        half.node = mhp.sides[side].device.node
        half.link = mhp.sides[side].number
        half.label = 0
        half.emitted_ps = start_ps + mhp.link.born_ps[side]


cdef Pending* begin_attempt(
    Mhp* mhp, Queue* queue, int side, int64_t cycle, bint present, double* axis
) noexcept nogil:
    """One end's part: GEN, and the wait for its REPLY."""
    cdef MhpSide* s = &mhp.sides[side]
    cdef Order* order = &s.orders[0].order
    cdef Pending* p = new_pending(s, queue)
    cdef uint8_t[LARGEST_FRAME_BYTES] frame
    if p == NULL:
        return NULL
    p.used = True
    p.stamp = (p.stamp + 1) & 0x7FFFFFFF
    p.queue = order.queue
    p.measure = order.measure
    p.is_pair = False
    p.cycle = cycle
    p.born_ps = queue.now_ps + mhp.link.born_ps[side]
    p.slot = -1
    p.target = -1
    if order.measure:
        choose_basis(mhp, order, &p.basis, axis)
    else:
        p.slot = s.slot
        p.target = s.target
        s.slot = -1
        s.target = -1
        s.holds = True
    s.orders[0].attempts += 1
    p.attempts = s.orders[0].attempts
    s.next_cycle = cycle + step_of(mhp, order.measure)
    memset(frame, 0, LARGEST_FRAME_BYTES)
    write_gen(frame, s.number, order.queue, order.measure, present, cycle)
    send_later(
        queue, time_sum(queue.now_ps, mhp.gen_ps[side]), s.device.node, s.device.quantum_port,
        frame, GEN_FRAME_BYTES,
    )
    mhp.counters[MHP_GENS] += 1
    queue_push(
        queue, time_sum(queue.now_ps, mhp.attempt_cycles * mhp.cycle_ps), MHP_TIMEOUT, mhp.index,
        side | <int64_t>(p - s.pendings) << 1 | <int64_t>p.stamp << 32, NULL,
    )
    return p


cdef void attempt(
    Mhp* mhp, Queue* queue, Ledger* ledger, QuantumMemory memory, int64_t cycle
) noexcept nogil:
    cdef Pending* pendings[2]
    cdef double[6] axes
    cdef HeraldFigures* figures
    cdef bint[2] takes_part
    cdef bint success
    cdef int side, which = 0
    cdef uint8_t[LARGEST_FRAME_BYTES] frame
    cdef bint stored
    for side in range(2):
        takes_part[side] = first_attempt(mhp, side, cycle) == cycle
    figures = figures_for(
        mhp, queue, mhp.sides[0].orders[0].order.bright, mhp.sides[1].orders[0].order.bright
    )
    if figures == NULL:
        return
    if mhp.agreed and not mhp.every_attempt:
        success = True  # the plan ended here for that
    else:
        success = takes_part[0] and takes_part[1] and chance(mhp.stream, figures.success)
    if mhp.agreed:
        mhp.counters[MHP_ATTEMPTS] += 1
        mhp.alone = 0
    else:
        mhp.counters[MHP_ALONE] += 1
        mhp.alone += 1
    if success and figures.state_count == 2:
        which = uniform(mhp.stream) >= 0.5
    # A source fires in each attempt; it is the nodes that say whether a photon came.
    stored = success or not mhp.is_source
    for side in range(2):
        pendings[side] = NULL
        if takes_part[side]:
            pendings[side] = begin_attempt(
                mhp, queue, side, cycle, stored, &axes[3 * side]
            )
            if pendings[side] == NULL:
                return
    if success:
        mhp.counters[MHP_HERALDS] += 1
        if pendings[0].measure == pendings[1].measure:
            make_pair(mhp, queue, ledger, memory, figures, which, pendings, axes)
    memset(frame, 0, LARGEST_FRAME_BYTES)
    write_outcome(
        frame, mhp.station_link,
        figures.bells[which] - 1 if success or mhp.is_source else 0, cycle,
    )
    send_later(
        queue, time_sum(queue.now_ps, mhp.outcome_ps), mhp.station, mhp.station_port, frame,
        OUTCOME_FRAME_BYTES,
    )


cdef void mhp_turn(
    Mhp* mhp, Queue* queue, Ledger* ledger, QuantumMemory memory
) noexcept nogil:
    cdef int64_t cycle = next_cycle(mhp, queue.now_ps)
    settle(mhp, cycle)
    if mhp.attempts_next:
        attempt(mhp, queue, ledger, memory, cycle)
        mhp.planned_from = NEVER
    mhp_plan(mhp, queue)


cdef bint mhp_turn_void(Mhp* mhp, int64_t epoch) noexcept nogil:
    return epoch != mhp.epoch


# ---- the answer ----

cdef void give_back(
    Mhp* mhp, Queue* queue, Ledger* ledger, QuantumMemory memory, int side, Pending* p
) noexcept nogil:
    """An attempt came to nothing: its qubit is discarded."""
    cdef MhpSide* s = &mhp.sides[side]
    p.used = False
    if p.measure:
        return
    s.holds = False
    if p.target >= 0:
        device_unreserve(s.device, queue, p.target)
    if s.device.slots[p.slot].half >= 0:
        device_discard(s.device, queue, ledger, memory, p.slot)
    else:
        device_unreserve(s.device, queue, p.slot)


cdef void report_error(
    Mhp* mhp, Queue* queue, int side, Pending* p, uint8_t error, uint16_t other
) noexcept nogil:
    cdef MhpSide* s = &mhp.sides[side]
    cdef Result result
    s.errors_in_row += 1
    mhp.counters[MHP_ERRORS] += 1
    if mhp.every_attempt and s.errors_in_row & (s.errors_in_row - 1):
        return  # the 1st, 2nd, 4th, 8th ... of them, as where only these are sent
    memset(&result, 0, sizeof(Result))
    result.type = FRAME_MHP_ERROR
    result.queue = p.queue
    result.other_queue = other
    result.mhp_seq = s.station_seq
    result.error = error
    result.cycle = p.cycle
    result.attempts = p.attempts
    result.time_ps = p.born_ps
    if s.orders[0].loaded and s.orders[0].order.queue == p.queue:
        result.pairs_left = s.orders[0].pairs_left
    send_result(mhp, queue, side, &result)


cdef void report_pair(
    Mhp* mhp, Queue* queue, Ledger* ledger, QuantumMemory memory, int side, Pending* p,
    Reply* reply
) noexcept nogil:
    cdef MhpSide* s = &mhp.sides[side]
    cdef OrderSlot* o = &s.orders[0]
    cdef bint mine = o.loaded and o.order.queue == p.queue and not o.is_over
    cdef Result result
    memset(&result, 0, sizeof(Result))
    result.bell = p.bell
    result.queue = p.queue
    result.other_queue = reply.other_queue
    result.mhp_seq = reply.mhp_seq
    result.surplus = not mine
    result.cycle = p.cycle
    result.attempts = p.attempts
    result.time_ps = p.born_ps
    if mine and o.order.pairs:
        o.pairs_left -= 1
        o.is_over = o.pairs_left == 0
        if o.is_over and o.order.measure and (
            o.order.end_cycle == 0 or o.order.end_cycle > p.cycle + mhp.attempt_cycles
        ):
            o.order.end_cycle = p.cycle + mhp.attempt_cycles  # both ends stop there
    if o.loaded and o.order.queue == p.queue:
        result.pairs_left = o.pairs_left
    p.used = False
    if p.measure:
        mhp.counters[MHP_MEASURED] += 1
        result.type = FRAME_MHP_MEASURED
        result.basis = p.basis
        result.outcome = p.outcome
        send_result(mhp, queue, side, &result)
        return
    mhp.counters[MHP_PAIRS] += 1
    s.holds = False
    s.next_cycle = max(s.next_cycle, p.cycle + mhp.attempt_cycles + mhp.recovery_cycles)
    s.device.slots[p.slot].state = HELD
    s.device.slots[p.slot].seq = reply.mhp_seq
    ledger_number(ledger, s.device.slots[p.slot].half, reply.mhp_seq)
    result.type = FRAME_MHP_PAIR
    result.slot = p.slot
    result.generation = s.device.slots[p.slot].generation
    if p.target >= 0:
        result.slot = p.target
        result.generation = s.device.slots[p.target].generation
        device_move(s.device, queue, p.slot, p.target, 0, &result)
    else:
        send_result(mhp, queue, side, &result)
    if mine and o.is_over:
        finish(mhp, queue, side, 0, ORDER_COMPLETE)


cdef void mhp_reply(
    Mhp* mhp, Queue* queue, Ledger* ledger, QuantumMemory memory, int side, Reply* reply
) noexcept nogil:
    cdef MhpSide* s = &mhp.sides[side]
    cdef Pending* p = NULL
    cdef uint8_t error = reply.error
    cdef int32_t i
    for i in range(s.pending_count):
        if s.pendings[i].used and s.pendings[i].cycle == reply.cycle:
            p = &s.pendings[i]
            break
    if p == NULL:
        mhp.counters[MHP_STALE_REPLIES] += 1
        return
    settle(mhp, next_cycle(mhp, queue.now_ps))
    mhp.counters[MHP_REPLIES] += 1
    s.station_seq = reply.mhp_seq
    if error != MHP_TIME_MISMATCH and reply.queue != p.queue:
        error = MHP_QUEUE_MISMATCH
    if error == MHP_NONE and reply.outcome and not p.is_pair:
        mhp.counters[MHP_FALSE_HERALDS] += 1
        error = MHP_GEN_FAIL
    if error != MHP_NONE:
        report_error(mhp, queue, side, p, error, reply.other_queue)
        give_back(mhp, queue, ledger, memory, side, p)
    else:
        s.errors_in_row = 0
        if reply.outcome:
            report_pair(mhp, queue, ledger, memory, side, p, reply)
        else:
            give_back(mhp, queue, ledger, memory, side, p)
    mhp_plan(mhp, queue)


cdef void mhp_timeout(
    Mhp* mhp, Queue* queue, Ledger* ledger, QuantumMemory memory, int64_t value
) noexcept nogil:
    cdef int side = value & 1
    cdef Pending* p = &mhp.sides[side].pendings[value >> 1 & INT32_MAX >> 1]
    settle(mhp, next_cycle(mhp, queue.now_ps))
    mhp.counters[MHP_TIMEOUTS] += 1
    report_error(mhp, queue, side, p, MHP_GEN_FAIL, 0)
    give_back(mhp, queue, ledger, memory, side, p)
    mhp_plan(mhp, queue)


cdef bint mhp_timeout_void(Mhp* mhp, int64_t value) noexcept nogil:
    cdef Pending* p = &mhp.sides[value & 1].pendings[value >> 1 & INT32_MAX >> 1]
    return not p.used or p.stamp != value >> 32
